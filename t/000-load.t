# Copyright (C) ngx_http_cmp_module contributors
#
# The module loads, a location of it answers, a certificate is issued.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure');

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



=== a certificate for a shared secret
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=device1
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem
--- cmp_out
/received 1 (newly )?enrolled certificate/
--- test
my ($status, $out) = execute('openssl', 'verify', '-CAfile', pki('root.pem'),
                             '-untrusted', pki('ca.pem'), tmp('cert.pem'));

is($status, 0, 'the certificate verifies');
like($out, qr/: OK/, 'as openssl says');
--- sql
SELECT state, subject FROM cmp.certificate_list()
--- sql_out
valid|CN=device1
