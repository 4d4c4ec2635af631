# Copyright (C) ngx_http_cmp_module contributors
#
# Delta CRLs: what they list, what they refer to, and that a relying party
# sees a revocation, a hold and a release by them.

use lib 't/lib';
use CMPTest;
use CMPCrl;

credential(reference => 'device1', secret => 'insecure');

our $crl = 'crl lifetime=1h refresh=30m delta=10m'
    . ' url=http://pki.example/full.crl delta_url=http://pki.example/delta.crl';

our $locations = '
location /pkix/       { cmp_pass devices; }
location = /full.crl  { cmp_crl devices; }
location = /delta.crl { cmp_crl devices delta; }
location = /delta.pem { cmp_crl devices delta format=pem; }
';

run_tests();

__DATA__

=== revoke, hold and release are seen by the delta CRL alone
--- http_config eval
main::default_http_config(ca => "$main::crl;")
--- config eval: $main::locations
--- test
my ($a, $akey, $aserial) = enrol('a');
my ($b, $bkey, $bserial) = enrol('b');
my ($h, $hkey, $hserial) = enrol('h');

my ($status, $out) = cmpctl('certificate', 'hold', $hserial);
is($status, 0, 'hold') or diag($out);

# the first delta CRL makes the complete one that it needs

my ($first, $text, $r) = crl('/delta.crl', 'delta0.pem');

is($r->{status}, 200, 'delta CRL');
is($r->{headers}{'content-type'}, 'application/pkix-crl', 'type');

my ($full, $complete, $f) = crl('/full.crl', 'full.pem');

is(base($text), $full, 'its base is the complete one');
cmp_ok($first, '>', $full, 'its number is higher');
like($text, qr/No Revoked Certificates/, 'nothing has changed as yet');
unlike($text, qr/Freshest CRL/, 'no freshestCRL in a delta CRL');
is(base($complete), undef, 'the other one is complete');
like($complete, qr{X509v3 Freshest CRL: *\n.*Full Name:\n *URI:http://pki\.example/delta\.crl},
     'freshestCRL');
unlike($complete, qr/Freshest CRL: critical/, 'which is not critical');
like($complete, qr/$hserial/, 'the one on hold is listed');

($status, $out) = execute('openssl', 'x509', '-in', $a, '-noout', '-text');
like($out, qr{Freshest CRL: *\n.*Full Name:\n *URI:http://pki\.example/delta\.crl},
     'freshestCRL in a certificate');
like($out, qr{Distribution Points: *\n.*Full Name:\n *URI:http://pki\.example/full\.crl},
     'cRLDistributionPoints in a certificate');

for my $crls (['full.pem'], ['full.pem', 'delta0.pem']) {
    is(verify($_, $crls, '-use_deltas'), 0, "@$crls: good") for $a, $b;
    is(verify($h, $crls, '-use_deltas'), 'certificate revoked',
       "@$crls: on hold");
}

# only the delta CRL changes

($status, $out) = client('rr', '-cert', $a, '-key', $akey, '-oldcert', $a,
                         '-revreason', 1);
is($status, 0, 'rr') or diag($out);
is((cmpctl('certificate', 'hold', $bserial))[0], 0, 'hold');
is((cmpctl('certificate', 'release', $hserial))[0], 0, 'release');

my ($second, $delta, $d) = crl('/delta.crl', 'delta1.pem');

is(base($delta), $full, 'the same base');
cmp_ok($second, '>', $first, 'a higher number');
like($delta, qr/$aserial\n.*\n.*\n.*Reason Code.*\n\s*Key Compromise/,
     'revoked');
like($delta, qr/$bserial\n.*\n.*\n.*Reason Code.*\n\s*Certificate Hold/,
     'on hold');
like($delta, qr/$hserial\n.*\n.*\n.*Reason Code.*\n\s*Remove From CRL/,
     'released');

my ($again, undef, $g) = crl('/full.crl', 'full.pem');

is($again, $full, 'the complete one stays');
is($g->{body}, $f->{body}, 'to the octet');

my @both = ('full.pem', 'delta1.pem');

is(verify($a, \@both, '-use_deltas'), 'certificate revoked', 'revoked');
is(verify($b, \@both, '-use_deltas'), 'certificate revoked', 'on hold');
is(verify($h, \@both, '-use_deltas'), 0, 'released');
is(verify($a, ['full.pem']), 0, 'the complete one alone has nothing');

# and what was not in the complete one is removed again

is((cmpctl('certificate', 'release', $bserial))[0], 0, 'release');

my (undef, $third) = crl('/delta.crl', 'delta2.pem');

like($third, qr/$bserial\n.*\n.*\n.*Reason Code.*\n\s*Remove From CRL/,
     'released');
is(verify($b, ['full.pem', 'delta2.pem'], '-use_deltas'), 0, 'released');

is((crl('/delta.crl'))[0], (crl('/delta.crl'))[0],
   'nothing happens, no other one');

# another complete one: the delta CRL goes on to fit to the one before

execute('cp', tmp('full.pem'), tmp('old.pem'));

is((cmpctl('crl', 'publish', '--ca', 'devices'))[0], 0, 'publish');

my ($newer, $newtext) = crl('/full.crl', 'full.pem');

cmp_ok($newer, '>', $full, 'a new complete one');
like($newtext, qr/$aserial/, 'has the revocation');
is(verify($a, ['full.pem']), 'certificate revoked', 'which is seen');

my ($fourth, $latest) = crl('/delta.crl', 'delta3.pem');

is(base($latest), $full, 'the oldest valid one is the base');
cmp_ok($fourth, '>', $newer, 'one sequence of numbers');
is(verify($a, ['old.pem', 'delta3.pem'], '-use_deltas'),
   'certificate revoked', 'with the old one: revoked');
is(verify($b, ['old.pem', 'delta3.pem'], '-use_deltas'), 0,
   'with the old one: released');
is(verify($b, ['full.pem', 'delta3.pem'], '-use_deltas'), 0,
   'with the new one: released');

my ($other, $okey, $oserial) = enrol('other');

is((cmpctl('certificate', 'hold', $oserial))[0], 0, 'hold');
crl('/delta.crl', 'delta4.pem');
is(verify($other, [$_, 'delta4.pem'], '-use_deltas'), 'certificate revoked',
   "$_ and a delta CRL: on hold") for 'old.pem', 'full.pem';



=== caching
--- http_config eval
main::default_http_config(ca => "$main::crl;")
--- config eval: $main::locations
--- test
my ($number, undef, $r) = crl('/delta.crl');
my $h = $r->{headers};
my ($age) = $h->{'cache-control'} =~ /^max-age=(\d+)$/;

cmp_ok($age, '<=', 600, 'until the next delta CRL');
cmp_ok($age, '>', 0, 'not zero');

my (undef, $text) = crl('/full.crl');
my ($from) = $text =~ /Last Update: .*? (\d+):/;
my ($until) = $text =~ /Next Update: .*? (\d+):/;

is(($from + 1) % 24, $until + 0, 'a complete one is valid for an hour');

is(http('GET', '/delta.crl', undef, 'If-None-Match' => $h->{etag})->{status},
   304, 'If-None-Match');
ok(wait_for(sub {
    http('GET', '/delta.crl', undef, 'If-Modified-Since' =>
         http('GET', '/delta.crl')->{headers}{'last-modified'})->{status} == 304
}, 10), 'If-Modified-Since');
is(http('GET', '/full.crl', undef, 'If-None-Match' => $h->{etag})->{status},
   200, 'another one');

my $head = http('HEAD', '/delta.crl');

is($head->{headers}{$_}, $h->{$_}, "HEAD: $_") for qw(content-length etag);

my $pem = http('GET', '/delta.pem')->{body};

like($pem, qr/^-----BEGIN X509 CRL-----\n(?:[\w+\/=]{1,64}\n)+-----END X509 CRL-----\n$/, 'PEM');



=== the base ends
--- http_config eval
main::default_http_config(ca => "$main::crl;")
--- config eval: $main::locations
--- test
my (undef, $text) = crl('/delta.crl');
my $base = base($text);

sql("UPDATE cmp.crl SET next_update = now(),
     this_update = now() - interval '1 hour' WHERE number = $base");
sql("UPDATE cmp.crl SET this_update = this_update - interval '11 minutes'
     WHERE delta");

my (undef, $next) = crl('/delta.crl');

cmp_ok(base($next), '>', $base, 'another base');

# all of them have ended: there is another complete one first

sql("UPDATE cmp.crl SET next_update = now(),
     this_update = now() - interval '1 hour'");

my (undef, $last) = crl('/delta.crl');

cmp_ok(base($last), '>', base($next), 'a new base');
is(sql("SELECT count(*) FROM cmp.crl WHERE number = ${\base($last)}
        AND NOT delta AND next_update > now()"), 1, 'which is valid');
