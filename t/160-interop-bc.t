# Copyright (C) ngx_http_cmp_module contributors
#
# Bouncy Castle as a client, t/interop/CmpClient.java: what `openssl cmp`
# cannot do.  Needs the packages default-jdk-headless and libbcpkix-java,
# which `make check-long` installs; skipped without them.

use lib 't/lib';
use CMPTest;

our @jars = map { "/usr/share/java/$_.jar" } qw(bcpkix bcprov bcutil);

my ($status, $out) = execute('javac', '-version');

if ($status != 0 || grep { !-e $_ } @jars) {
    SKIP: {
        skip('no javac, or no libbcpkix-java (make check-long)', 1);
    }
    exit 0;
}

($status, $out) = execute('openssl', 'pkey', '-in', pki('ra.key'), '-noout',
                         '-text');

if ($out =~ /(?:ML|SLH)-DSA/) {
    SKIP: { skip('this Bouncy Castle has no post-quantum keys', 1); }
    exit 0;
}

($status, $out) = execute('javac', '-Xlint:-options', '-cp', join(':', @jars),
    '-d', tmp('classes'), 't/interop/CmpClient.java');
is($status, 0, 'javac') or diag($out);

credential(reference => 'device1', secret => 'insecure');

our $ra = default_http_config(ca => 'ra_certificate ' . pki('ra.pem')
    . ' "crl=off";');

# a CA with keys of another kind than the rest

our $ed25519 = default_http_config(pki => own_pki('ed25519'));

sub bc {
    my ($command, %options) = @_;

    %options = (url => "http://127.0.0.1:${\port()}/pkix/",
                root => pki('root.pem'), ref => 'device1',
                secret => 'insecure', racert => pki('ra.pem'),
                rakey => pki('ra.key'), %options);

    my ($status, $out) = execute('java', '-XX:TieredStopAtLevel=1', '-cp',
        join(':', tmp('classes'), @jars), 'CmpClient', $command,
        map { "$_=$options{$_}" } sort keys %options);

    is($status, 0, "$command: exit code") or diag($out);

    return $out;
}

sub certificates {
    my $name = shift;

    return sql("SELECT string_agg(state::text, ' ' ORDER BY state)"
               . " FROM cmp.certificate WHERE subject LIKE 'CN=$name%'");
}

run_tests();

__DATA__

=== several requests, keys of three kinds, and one certConf for all
--- test
my $out = bc('several', subject => 'several', count => 6);
is($out, join('', map { "ip $_ accepted\n" } 0 .. 5) . "pkiConf\n",
   'statuses');
is(certificates('several'), '1 1 1 1 1 1', 'all are confirmed');



=== more than the limit: none
--- test
my $out = bc('several', subject => 'many', count => 17);
like($out, qr/^error - rejection badRequest .+/, 'refused');
is(certificates('many'), '', 'none in the store');



=== PBMAC1, in both directions
--- test
is(bc('several', subject => 'pbmac1', mac => 'pbmac1'),
   "ip 0 accepted\npkiConf\n", 'statuses');
is(certificates('pbmac1'), '1', 'confirmed');



=== PBMAC1 with another secret: the answer is signed
--- test
like(bc('several', subject => 'wrong', mac => 'pbmac1', secret => 'wrong'),
     qr/^error - rejection badMessageCheck .+/, 'refused');
is(certificates('wrong'), '', 'none in the store');
--- error_log
wrong MAC



=== an RA adds its protection; the answer is for the client
--- http_config eval: $main::ra
--- test
is(bc('added', subject => 'added'), "ip 0 accepted\npkiConf\n", 'statuses');
is(certificates('added'), '1', 'confirmed');



=== added protection around PBMAC1
--- http_config eval: $main::ra
--- test
is(bc('added', subject => 'added-pbmac1', mac => 'pbmac1'),
   "ip 0 accepted\npkiConf\n", 'statuses');
is(certificates('added-pbmac1'), '1', 'confirmed');



=== an RA sends the messages of two clients in one
--- http_config eval: $main::ra
--- test
is(bc('batch', subject => 'batch'),
   "ip 0 accepted\nip 0 accepted\npkiConf\npkiConf\n", 'statuses');
is(certificates('batch'), '1 1', 'both are confirmed');



=== a registration token: good for one request within its limits
--- test
credential(reference => 'needs', secret => 'insecure',
           'token-needed' => undef);

my ($status, $token) = cmpctl('credential', 'add', '--ca', 'devices',
    '--reference', 'T1', '--token', '--subject', 'CN=token');
is($status, 0, 'cmpctl credential add --token') or diag($token);
chomp $token;

my @by = (ref => 'needs', subject => 'token');

like(bc('regtoken', @by), qr/^ip 0 rejection notAuthorized .*regToken/,
     'without');
like(bc('regtoken', @by, token => 'x' x 32),
     qr/^ip 0 rejection notAuthorized .*regToken/, 'another one');
like(bc('regtoken', @by, token => $token, subject => 'other'),
     qr/^ip 0 rejection notAuthorized .*subject/, 'for somebody else');
is(bc('regtoken', @by, token => $token), "ip 0 accepted\n", 'granted');
like(bc('regtoken', @by, token => $token),
     qr/^ip 0 rejection notAuthorized .*not valid/, 'once only');
is(sql("SELECT uses_left FROM cmp.credential WHERE reference = 'T1'"), 0,
   'spent');
like(sql("SELECT string_agg(text, ',') FROM cmp.audit WHERE action = 'ir'"),
     qr/regToken T1/, 'in the audit');



=== kur with oldCertID
--- test
is(bc('kur', subject => 'kur', serial => 'good'),
   "ip 0 accepted\npkiConf\nkup 0 accepted\npkiConf\n", 'statuses');
is(certificates('kur'), '1 1', 'the first one is replaced');



=== kur with the oldCertID of another certificate
--- test
like(bc('kur', subject => 'other', serial => 'bad'),
     qr/^kup 0 rejection badCertId .+/m, 'refused');
is(certificates('other'), '1', 'no second one');



=== version 3 with hashAlg, for a CA whose signatures name no hash
--- http_config eval: $main::ed25519
--- test
for my $hash (qw(SHA-512 SHA-256)) {
    is(bc('hashalg', subject => "$hash", hash => $hash,
          root => tmp('ed25519/root.pem')),
       "ip 0 accepted\npkiConf\n", $hash);
    is(certificates($hash), '1', 'confirmed');
}



=== version 2, the hash being that of RFC 9481
--- http_config eval: $main::ed25519
--- test
is(bc('several', subject => 'version2', root => tmp('ed25519/root.pem')),
   "ip 0 accepted\npkiConf\n", 'statuses');
is(certificates('version2'), '1', 'confirmed');



=== several infoTypes in one genm are all answered
--- test
my $out = bc('genm');
my @types = $out =~ /^genp (\S+) value$/mg;
is(scalar @types, 4, 'answers') or diag($out);
like($out, qr/\.4\.17 value/, 'caCerts');
like($out, qr/\.4\.2 value/, 'signKeyPairTypes');
like($out, qr/\.4\.6 value/, 'currentCRL');
like($out, qr/\.4\.19 value/, 'certReqTemplate');
