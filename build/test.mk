# Copyright (C) ngx_http_cmp_module contributors

check: ## all tests: what a change has to pass
	@build/check.sh

check-long: ## the tests that take longer: valgrind, fuzzing, load
	@build/check.sh long

check-trixie: ## all tests on Debian 13, in a system of its own (root)
	@JOBS=$(JOBS) build/trixie.sh

fuzz: ## runs the fuzz drivers, FUZZ_SECONDS each (default 60)
	@build/fuzz.sh

bench: build bench-build ## what it costs, by parts, beside what they cost alone
	@BUILD=$(BUILD) OUT=$(OUT) NGINX_BIN=$(NGINX_BIN) t/bench/run

bench-scale: build bench-build ## how that grows with the store (SCALE=options)
	@BUILD=$(BUILD) OUT=$(OUT) NGINX_BIN=$(NGINX_BIN) t/bench/scale $(SCALE)
