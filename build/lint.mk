# Copyright (C) ngx_http_cmp_module contributors

lint: build ## style, static analysis, direction of includes, exported symbols
	@build/lint.sh $(OUT)
