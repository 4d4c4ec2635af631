# Copyright (C) ngx_http_cmp_module contributors
#
# Every command of a developer; `make help` lists them.

SHELL = /bin/bash

ifneq ($(words x$(CURDIR)x), 1)
$(error the path of the checkout has a space in it, nginx cannot be \
        configured there: move it to a path without one)
endif

# release: what an operator installs; debug: the same without optimization;
# sanitize: an nginx with the module linked in, AddressSanitizer and UBSan

BUILD ?= release

# the nginx to build for: its binary, and its headers and configure script
# (not "NGINX": nginx itself reads an environment variable of that name)

NGINX_BIN ?= $(shell PATH=$$PATH:/usr/sbin:/usr/local/sbin command -v nginx \
           || echo nginx)
NGINX_SRC ?= /usr/share/nginx/src

PG_CONFIG ?= pg_config

DEMO_DIR ?= demo
DEMO_PORT ?= 8829
DEMO_TLS_PORT ?= 8843

JOBS ?= $(shell nproc 2>/dev/null || echo 1)
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

MAKEFLAGS += --no-print-directory

# Debian's packages

PACKAGES ?= gcc libc6-dev make nginx nginx-dev libpq-dev libssl-dev \
            postgresql postgresql-client openssl perl curl \
            ca-certificates

CHECK_PACKAGES ?= clang cppcheck libcmocka-dev nghttp2-client dpkg-dev gnutls-bin \
            patch libtest-base-perl libtest-longstring-perl \
            liblist-moreutils-perl libtext-diff-perl libwww-perl liburi-perl \
            libipc-run-perl libio-socket-ssl-perl libjson-perl psmisc procps

OUT = build-$(BUILD)
DEPS = build-deps

.PHONY: help deps deps-check build build-all demo demo-stop check check-long \
        check-trixie bench bench-scale fuzz lint unit install clean

all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | sort \
	    | while IFS='|' read -r t d; do printf '  %-12s %s\n' "$$t" "$$d"; \
	      done
	@echo "  variables:   BUILD=release|debug|sanitize NGINX_BIN NGINX_SRC"
	@echo "               PG_CONFIG DESTDIR DEMO_DIR DEMO_PORT"
	@echo "               DEMO_TLS_PORT PACKAGES CHECK_PACKAGES"

deps: ## installs the Debian packages that build and demo need
	@build/deps.sh $(PACKAGES)

deps-check: ## installs what the tests need besides
	@build/deps.sh $(PACKAGES) $(CHECK_PACKAGES)
	@$(MAKE) -s $(DEPS)/perl5/Test/Nginx.pm

$(DEPS)/perl5/Test/Nginx.pm:
	@build/fetch.sh test-nginx $(DEPS)

$(DEPS)/nginx/configure:
	@build/fetch.sh nginx-source $(DEPS)

$(DEPS)/openssl-3.5/openssl:
	@build/fetch.sh openssl $(DEPS)

include build/nginx.mk
include build/core.mk
include build/store.mk
include build/lint.mk
include build/test.mk

install: build bench-build ## installs module, SQL, cmpctl, cmpload (DESTDIR)
	@NGINX_BIN=$(NGINX_BIN) OUT=$(OUT) DESTDIR=$(DESTDIR) build/install.sh

demo: deps build ## a CA to play with: enrol, update, revoke, and go on
	@DEMO_DIR=$(DEMO_DIR) \
	    DEMO_DIR_GIVEN=$(filter-out demo,$(DEMO_DIR)) DEMO_PORT=$(DEMO_PORT) \
	    DEMO_TLS_PORT=$(DEMO_TLS_PORT) NGINX_BIN=$(NGINX_BIN) OUT=$(OUT) \
	    build/demo.sh start

demo-stop: ## ends the demo
	@DEMO_DIR=$(DEMO_DIR) build/demo.sh stop

clean: ## removes all that was built (a running demo is left alone)
	rm -rf build-release build-debug build-sanitize build-fuzz $(DEPS)
