package CMPStaple;

# Copyright (C) ngx_http_cmp_module contributors
#
# Stapling by nginx: a TLS server that gets the OCSP answers for its own
# certificate from the location /ocsp of the same nginx.
#
#     use CMPTest;
#     use CMPStaple;
#
#     staple_include()       a directive for http_config: the file that
#                            staple() writes, empty until then
#     staple(CERT, KEY)      the server, on %%PORT2%%, with files of enrol();
#                            tests that its handshakes have a good answer.
#                            The file needs master_on()

use strict;
use warnings;

use CMPTest ();
use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(staple_include staple);


sub write_file {
    my ($name, $text) = @_;

    open my $fh, '>', CMPTest::tmp($name) or die "$name: $!";
    print $fh $text;
    close $fh;
}


sub staple_include {
    write_file('staple.conf', '');

    return 'include ' . CMPTest::tmp('staple.conf') . ';';
}


sub staple {
    my ($cert, $key) = @_;
    my $out;

    write_file('staple.chain', CMPTest::slurp($cert)
                               . CMPTest::slurp(CMPTest::pki('ca.pem')));

    write_file('staple.conf', <<"_EOC_");
server {
    listen 127.0.0.1:$CMPTest::Port2 ssl;
    ssl_certificate          ${\CMPTest::tmp('staple.chain')};
    ssl_certificate_key      $key;
    ssl_trusted_certificate  ${\CMPTest::pki('ca-chain.pem')};
    ssl_stapling             on;
    ssl_stapling_responder   http://127.0.0.1:${\CMPTest::port()}/ocsp;
    ssl_stapling_verify      on;
}
_EOC_

    Test::More::ok(CMPTest::reload(), 'reload');

    # nginx asks at the first handshake, the next ones have the answer

    Test::More::ok(CMPTest::wait_for(sub {
        (undef, $out) = CMPTest::execute('/bin/sh', '-c', 'openssl s_client'
            . ' -connect 127.0.0.1:$0 -status </dev/null', $CMPTest::Port2);

        return $out =~ /OCSP Response Status: successful/;
    }, 15), 'stapled') or Test::More::diag($out);
    Test::More::like($out, qr/Cert Status: good/, 'good');
}


1;
