# Copyright (C) ngx_http_cmp_module contributors
#
# Partitioned CRLs: which certificate belongs to which, and what is served
# where.

use lib 't/lib';
use CMPTest;
use CMPCrl;
use CMPWait;

credential(reference => 'device1', secret => 'insecure');

our $urls = 'partition_url=http://pki.example/p/$partition.crl'
    . ' delta=10m delta_url=http://pki.example/d/$partition.crl';

our $locations = '
location /pkix/                   { cmp_pass devices; }
location = /full.crl              { cmp_crl devices; }
location ~ ^/p/(\w+)\.crl$        { cmp_crl devices partition=$1; }
location ~ ^/d/(\w+)\.crl$        { cmp_crl devices delta partition=$1; }
location = /arg.crl               { cmp_crl devices partition=$arg_p; }
';

our (%in, @certs);

run_tests();

__DATA__

=== each certificate has its partition
--- http_config eval
main::default_http_config(ca => "crl partitions=3 $main::urls;")
--- config eval: $main::locations
--- test
# at least one in each of two partitions

for my $n (1 .. 30) {
    my ($cert, $key, $serial) = enrol("p$n");
    my $partition = sql("SELECT partition FROM cmp.certificate
                         WHERE subject = 'CN=p$n'");

    is($partition, 1 + hex(substr $serial, -8) % 3, 'by the serial number');

    my ($status, $out) = execute('openssl', 'x509', '-in', $cert, '-noout',
                                 '-text');

    like($out, qr{Distribution Points: *\n.*Full Name:\n *URI:http://pki\.example/p/$partition\.crl\n},
         'its CRL');
    like($out, qr{Freshest CRL: *\n.*Full Name:\n *URI:http://pki\.example/d/$partition\.crl\n},
         'and delta CRL');

    push @{$main::in{$partition}}, [$cert, $serial];
    last if keys %main::in == 2;
}

my ($p, $q) = sort keys %main::in;
my ($cert, $serial) = @{$main::in{$p}[0]};
my ($other, $another) = @{$main::in{$q}[0]};

my ($number, $text, $r) = crl("/p/$p.crl", 'p.pem');

is($r->{status}, 200, 'the CRL of a partition');
like($text, qr{Issuing Distribution Point: critical\n.*Full Name:\n *URI:http://pki\.example/p/$p\.crl},
     'issuingDistributionPoint');
like($text, qr{Freshest CRL: *\n.*Full Name:\n *URI:http://pki\.example/d/$p\.crl},
     'freshestCRL');

my (undef, $whole) = crl('/full.crl', 'full.pem');

unlike($whole, qr/Issuing Distribution Point/, 'all: no such thing');
crl("/p/$q.crl", 'q.pem');

is(verify($cert, ['p.pem']), 0, 'good');
is(verify($cert, ['full.pem']), 0, 'good by the complete list');
like(verify($cert, ['q.pem']), qr/scope|unable to get certificate CRL/,
     'that of another partition does not do');

# revoked: delta CRL and partition, not the others

is((cmpctl('certificate', 'revoke', $serial))[0], 0, 'revoke');

my (undef, $delta) = crl("/d/$p.crl", 'dp.pem');

like($delta, qr/$serial/, 'in its delta CRL');
like($delta, qr{Issuing Distribution Point: critical\n.*Full Name:\n *URI:http://pki\.example/p/$p\.crl},
     'the scope of its base');
is(base($delta), $number, 'and refers to it');
is(verify($cert, ['p.pem', 'dp.pem'], '-use_deltas'), 'certificate revoked',
   'revoked');

is((cmpctl('crl', 'publish'))[0], 0, 'publish');
like((crl("/p/$p.crl", 'p.pem'))[1], qr/$serial/, 'in its partition');
is(verify($cert, ['p.pem']), 'certificate revoked', 'revoked');
unlike((crl("/p/$q.crl", 'q.pem'))[1], qr/$serial/, 'in no other one');
is(verify($other, ['q.pem']), 0, 'the other one is good');
like((crl('/full.crl', 'full.pem'))[1], qr/$serial/, 'in the complete list');
is(verify($cert, ['full.pem']), 'certificate revoked', 'revoked');
is((crl('/p/0.crl'))[2]{body}, (crl('/full.crl'))[2]{body},
   'which is partition 0');

# as the operator sees it

my ($status, $out) = cmpctl('crl', 'show', '--ca', 'devices', '--partition',
                            $p, '--kind', 'complete', '--pem');
is($status, 0, 'crl show') or diag($out);

execute('openssl', 'crl', '-in', tmp('p.pem'), '-out', tmp('plain.pem'));
is($out, CMPTest::slurp(tmp('plain.pem')), 'the same CRL');



=== what is no partition
--- http_config eval
main::default_http_config(ca => "crl partitions=3 $main::urls;")
--- config eval: $main::locations
--- test
my $rows = sql('SELECT count(*) FROM cmp.crl_number');

for my $p (4, 5, 1024, 1025, 32768, 65537, 4294967297, '01', '00', 'x', '1x',
           '-1', '+1', '1e1', '')
{
    is(http('GET', "/arg.crl?p=$p")->{status}, 404, "\"$p\"");
}

is(http('GET', '/arg.crl')->{status}, 404, 'none');
is(http('GET', "/p/$_.crl")->{status}, 404, "number $_")
    for 4, '01', 'x';
is(sql('SELECT count(*) FROM cmp.crl_number'), $rows,
   'nothing was made for them');



=== fewer partitions: those of certificates that are there stay
--- http_config eval
main::default_http_config(ca => "crl partitions=1 $main::urls;")
--- config eval: $main::locations
--- test
is(http('GET', "/p/$_.crl")->{status}, 200, "partition $_") for 0 .. 3;
is(http('GET', '/p/4.crl')->{status}, 404, 'partition 4');

my ($p) = grep { $_ != 1 } keys %main::in;
my ($cert, $serial) = @{$main::in{$p}[-1]};

cmpctl('certificate', 'revoke', $serial);
cmpctl('crl', 'publish');
like((crl("/p/$p.crl", 'p.pem'))[1], qr/$serial/, 'a certificate of before');
is(verify($cert, ['p.pem']), 'certificate revoked', 'revoked');

enrol('one');
is(sql("SELECT partition FROM cmp.certificate WHERE subject = 'CN=one'"), 1,
   'new ones');



=== many of them do not take the descriptors of a worker
--- http_config eval
main::default_http_config(ca => "crl partitions=80 $main::urls;")
--- config eval: $main::locations . ' sendfile on;'
--- test
my @statuses = map { http('GET', "/p/$_.crl")->{status} } 1 .. 80;

is(scalar(grep { $_ == 200 } @statuses), 80, 'all are there');

is(open_files(nginx_pid(), 'memfd:cmp_crl'), 64, 'some are sent from memory');
