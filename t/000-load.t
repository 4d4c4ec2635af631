# Copyright (C) ngx_http_cmp_module contributors
#
# The module loads, and a location of it answers.

use lib 't/lib';
use CMPTest;

run_tests();

__DATA__

=== GET is not a CMP request
--- request
GET /pkix/
--- error_code: 405
--- response_headers
Allow: POST



=== other locations are left alone
--- config
location /pkix/ { cmp_pass devices; }
location /else  { return 204; }
--- request
GET /else
--- error_code: 204



=== the directives are refused where they have no place
--- http_config
--- config
cmp_ca devices { }
--- must_die
--- error_log
"cmp_ca" directive is not allowed here
