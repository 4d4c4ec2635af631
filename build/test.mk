# Copyright (C) ngx_http_cmp_module contributors

check: ## all tests: what a change has to pass
	@build/check.sh

check-long: ## the tests that take longer: valgrind, fuzzing, load
	@build/check.sh long

fuzz: ## runs the fuzz drivers, FUZZ_SECONDS each (default 60)
	@build/fuzz.sh

bench: build bench-build ## speed of whole enrolments against a private database
	@OUT=$(OUT) NGINX_BIN=$(NGINX_BIN) t/bench/run
