# Copyright (C) ngx_http_cmp_module contributors
#
# The module itself, built by nginx's own build system.

HEADERS = $(wildcard src/*.h src/core/*.h src/store/*.h)

ifeq ($(BUILD), sanitize)

TREE = $(DEPS)/nginx
PRODUCT = $(OUT)/nginx/objs/nginx
GOAL = build

$(OUT)/configured: $(TREE)/configure

else

TREE = $(NGINX_SRC)
PRODUCT = $(OUT)/nginx/objs/ngx_http_cmp_module.so
GOAL = modules

endif

# one at a time, should two be started in the same checkout

build: ## builds the module (BUILD=...)
	@mkdir -p $(OUT)
	@flock $(OUT)/lock $(MAKE) build-locked

build-locked: $(OUT)/configured
	@$(MAKE) -s $(PARALLEL) $(OUT)/cmpctl-seal
	@$(MAKE) -s -C $(OUT)/nginx -f Makefile.cmp $(PARALLEL) $(GOAL)
	@echo "build: $(PRODUCT)"

build-all: ## builds the module and the sanitizer nginx
	@$(MAKE) build BUILD=release
	@$(MAKE) build BUILD=sanitize

# configured anew when the list of sources or headers, nginx or libpq change

$(OUT)/configured: config build/configure.sh $(OUT)/inputs
	@CMP_PG_CONFIG=$(PG_CONFIG) \
	    build/configure.sh $(BUILD) $(TREE) $(NGINX_BIN) $(OUT)
	@touch $@

$(OUT)/inputs: FORCE
	@mkdir -p $(OUT)
	@{ echo $(CURDIR) $(HEADERS); echo $(TREE) $(NGINX_BIN) $(CC); \
	    $(NGINX_BIN) -V 2>&1; $(PG_CONFIG) --version; } >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.PHONY: build-locked FORCE
FORCE:
