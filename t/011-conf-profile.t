# Copyright (C) ngx_http_cmp_module contributors
#
# cmp_profile: what is refused while the configuration is read, and where the
# message says that it is.

use lib 't/lib';
use CMPTest;
use CMPConf;

credential(reference => 'device1', secret => 'insecure');

run_tests();

__DATA__

=== the block
--- test
refused('http', <<'_EOC_');
cmp_profile { }             => invalid number of arguments in "cmp_profile"
cmp_profile a b { }         => invalid number of arguments in "cmp_profile"
cmp_profile a;              => directive "cmp_profile" has no opening "{"
cmp_profile "" { }          => invalid name ""
cmp_profile a/b { }         => invalid name "a/b"
cmp_profile .a { }          => invalid name ".a"
cmp_profile "a b" { }       => invalid name "a b"
cmp_profile ä { }           => invalid name "ä"
cmp_profile second { }      => duplicate cmp_profile "second"
cmp_profile third { { } }   => unexpected "{"
_EOC_

my $long = 'x' x 64;

refused('http', "cmp_profile x$long { } => invalid name \"x$long\"");
accepted('http', "cmp_profile $long { validity 1d; key ed25519; }");

for my $place (qw(main server location)) {
    refused($place,
        'cmp_profile a { } => "cmp_profile" directive is not allowed here');
}



=== settings that do not exist, that are elsewhere, that are blocks
--- test
refused('profile', <<'_EOC_');
valdity 1d;                 => unknown directive "valdity"
Validity 1d;                => unknown directive "Validity"
validity_ 1d;               => unknown directive "validity_"
certificate ca.pem;         => unknown directive "certificate"
cmp_profile a { }           => unexpected "{"
include /nonexistent.conf;  => "/nonexistent.conf" failed
_EOC_

my $file = make_file('profile.inc', "backdate 1h;\nca maybe;\n");

my ($status, $out) = CMPConf::nginx_t('profile', "include $file;");
is($status, 1, 'an included file is read');
like($out, qr/invalid value "maybe" .* in \Q$file\E:2$/m, 'and has lines');

make_file('profile.inc', "backdate 1h;\nclient_validity on;\n");
accepted('profile', "include $file;");



=== what has to be there
--- test
refused('profile', <<'_EOC_');
!                           => no "key" in the profile @end
! validity 30d;             => no "key" in the profile @end
! key ed25519;              => no "validity" in the profile @end
_EOC_



=== validity, backdate, client_validity
--- test
refused('profile', <<'_EOC_');
validity 1d;                     => "validity" directive is duplicate
backdate 1d; backdate 1d;        => "backdate" directive is duplicate
client_validity on; client_validity on; => "client_validity" directive is dup
backdate;                        => invalid number of arguments in "backdate"
backdate 1d 2d;                  => invalid number of arguments in "backdate"
backdate 1x;                     => "backdate" directive invalid value
backdate -1d;                    => "backdate" directive invalid value
backdate "";                     => "backdate" directive invalid value
backdate 31d;                    => "backdate" is not within 0 to 30 days @end
client_validity;                 => invalid number of arguments in "client_val
client_validity on on;           => invalid number of arguments in "client_val
client_validity yes;             => invalid value "yes"
! validity 1d; validity;         => invalid number of arguments in "validity"
! validity;                      => invalid number of arguments in "validity"
! validity 1d 1d;                => invalid number of arguments in "validity"
! validity never;                => "validity" directive invalid value
! validity -1;                   => "validity" directive invalid value
! validity 99999999999999999999; => "validity" directive invalid value
! validity 0; key ed25519;       => no "validity" in the profile @end
! validity 36601d; key ed25519;  => "validity" is over 100 years @end
_EOC_

accepted('profile', <<'_EOC_');
! validity 1; key ed25519;
! validity 36500d; key ed25519;
! validity 1y2M3d; key ed25519;
backdate 0;
backdate 30d; client_validity on;
client_validity off;
_EOC_



=== key
--- test
refused('profile', <<'_EOC_');
key;                    => invalid number of arguments in "key"
key "";                 => invalid value "" in "key" directive
key ec;                 => invalid value "ec" in "key" directive: "ec:" needs
key ec:;                => "ec:" needs one of the curves
key ec:P-192;           => invalid value "ec:P-192" in "key" directive
key ec:secp112r1;       => invalid value "ec:secp112r1" in "key" directive
key EC:P-256;           => unknown key "EC"
key rsa;                => "rsa" needs a modulus size or range within 2048-8192
key rsa:;               => invalid value "rsa:" in "key" directive
key rsa:1024;           => invalid value "rsa:1024" in "key" directive
key rsa:2048-16384;     => invalid value "rsa:2048-16384" in "key" directive
key rsa:4096-2048;      => invalid value "rsa:4096-2048" in "key" directive
key rsa:2048-;          => invalid value "rsa:2048-" in "key" directive
key rsa:-4096;          => invalid value "rsa:-4096" in "key" directive
key rsa:2048x;          => invalid value "rsa:2048x" in "key" directive
key rsa-pss:2047;       => invalid value "rsa-pss:2047" in "key" directive
key ed25519:1;          => "ed25519" has no parameter
key dsa:2048;           => unknown key "dsa"
key ec:P-384 foo;       => invalid value "foo" in "key" directive
_EOC_

my $long = 'k' x 200;

refused('profile', "key $long; => invalid value \"$long\" in \"key\"");

accepted('profile', <<'_EOC_');
key ec:P-384 ec:P-521 ed448;
key ed25519; key rsa:2048; key rsa-pss:3072-4096;
key rsa:2048-8192 ec:brainpoolP256r1 ec:secp256k1;
_EOC_



=== key_usage, ext_key_usage
--- test
refused('profile', <<'_EOC_');
key_usage;                          => invalid number of arguments
key_usage signing;                  => unknown key usage "signing"
key_usage DigitalSignature;         => unknown key usage "DigitalSignature"
key_usage keyAgreement keyAgreement;  => "keyAgreement" is given twice
key_usage nonRepudiation contentCommitment; => "contentCommitment" is given tw
key_usage keyAgreement; key_usage keyAgreement; => "keyAgreement" is given twi
key_usage keyCertSign;              => are for CA certificates only @end
key_usage cRLSign digitalSignature; => are for CA certificates only @end
key_usage digitalSignature encipherOnly; => nothing without "keyAgreement" @end
key_usage keyEncipherment;          => "ec:P-256" serves no key usage @end
key_usage digitalSignature keyEncipherment; => is served by no key @end
ext_key_usage;                      => invalid number of arguments
ext_key_usage clientauth;           => unknown extended key usage "clientauth"
ext_key_usage CN;                   => unknown extended key usage "CN"
ext_key_usage 1.2.;                 => unknown extended key usage "1.2."
ext_key_usage 9.2.3;                => unknown extended key usage "9.2.3"
ext_key_usage clientAuth clientAuth;  => "clientAuth" is given twice
ext_key_usage clientAuth 1.3.6.1.5.5.7.3.2; => "1.3.6.1.5.5.7.3.2" is given t
ext_key_usage cmcRA;                => is for RA and CA certificates only @end
ext_key_usage 1.3.6.1.5.5.7.3.28;   => is for RA and CA certificates only @end
ext_key_usage cmcCA;                => is for RA and CA certificates only @end
ext_key_usage cmKGA;                => is for RA and CA certificates only @end
_EOC_

accepted('profile', <<'_EOC_');
key_usage digitalSignature keyAgreement;
key_usage digitalSignature; key_usage nonRepudiation;
key_usage keyAgreement encipherOnly;
key rsa:2048; key_usage digitalSignature keyEncipherment;
ext_key_usage clientAuth serverAuth 1.3.6.1.4.1.99999.1;
ra on; ext_key_usage cmcRA;
_EOC_



=== subject
--- test
refused('profile', <<'_EOC_');
subject;                     => invalid number of arguments in "subject"
subject CN;                  => invalid parameter "CN", use required=CN
subject =CN;                 => invalid parameter "=CN"
subject required=;           => unknown attribute ""
subject required=CN,,OU;     => unknown attribute ""
subject required=cn2;        => unknown attribute "cn2"
subject required=CN optional=CN; => attribute "CN" is given twice
subject required=CN,CN;      => attribute "CN" is given twice
subject O=A O=B;             => attribute "O" is given twice
subject O=Example; subject required=O; => attribute "O" is given twice
subject "O=";                => value of attribute "O" is empty
subject "O= Example";        => begins or ends with a space
subject C=G;                 => is not a country code of two letters
subject C=Germany;           => value of attribute "C" is too long
subject C=1A;                => is not a country code of two letters
subject mandatory=CN;        => unknown attribute "mandatory"
_EOC_

my $long = 'x' x 300;

refused('profile', "subject CN=$long; => value of attribute \"CN\" is too");
refused('profile', "subject \"O=a\x01\"; => contains a character that cannot");
refused('profile', "subject O=\xc3; => is not valid in its string type");

accepted('profile', <<'_EOC_');
subject required=CN optional=serialNumber,OU O="Example" C=DE;
subject required=CN; subject optional=OU;
subject OU=A OU=B;
subject "O=Müller & Söhne";
_EOC_



=== san, san_required
--- test
refused('profile', <<'_EOC_');
san;                        => invalid number of arguments in "san"
san "";                     => unknown kind of name ""
san names;                  => unknown kind of name "names"
san DNS:a.example;          => unknown kind of name "DNS"
san dns:;                   => no pattern behind "dns:"
san dns:a\\;                => nothing follows the last "\"
san dns:$CN.example;        => a placeholder may not be used here
san ip:10.0.0.0/33;         => "10.0.0.0/33" is not an address or network
san ip:10.0.0;              => "10.0.0" is not an address or network
san ip:2001:db8::/129;      => is not an address or network
san email:example.org;      => no "@" in the email pattern
san dirname:Example;        => "Example" is not of the form CN=...
san dirname:XX=1;           => unknown attribute "XX"
san dirname:O=;             => attribute "O" has no value
san dirname:CN=a+OU=b;      => write "\+" for a plus sign
san othername;              => othername needs the object identifier
san othername:abc;          => othername needs the object identifier
san othername:1.2.3:;       => no pattern behind the object identifier
san dns ipp;                => unknown kind of name "ipp"
san_required on;            => "san" is required, but no name is allowed @end
san_required;               => invalid number of arguments in "san_required"
san_required 1;             => invalid value "1"
san_required on; san_required off; => "san_required" directive is duplicate
_EOC_

my $names = join ' ', map { "dns:$_.example" } 1 .. 65;

refused('profile', "san $names; => more than 64 names");

accepted('profile', <<'_EOC_');
san dns ip email uri dirname rid upn;
san dns:*.devices.example dns:\*.devices.example ip:10.0.0.0/8;
san ip:2001:db8::/32 ip:192.0.2.1 email:*@example.org uri:urn:dev:*;
san dirname:CN=*,O=Example rid:1.3.6.1.4.1.99999.* upn:*@example.org;
san othername:1.3.6.1.5.5.7.8.4 othername:1.3.6.1.5.5.7.8.9:*@example;
san dns; san ip; san_required on;
_EOC_



=== ca, ra
--- test
refused('profile', <<'_EOC_');
ca;                         => invalid number of arguments in "ca" directive
ca on path_len=1 x;         => invalid number of arguments in "ca" directive
ca yes;                     => invalid value "yes"
ca on path_len;             => invalid parameter "path_len"
ca on path_len=;            => invalid parameter "path_len="
ca on path_len=-1;          => invalid parameter "path_len=-1"
ca on path_len=256;         => invalid parameter "path_len=256"
ca on depth=1;              => invalid parameter "depth=1"
ca off path_len=1;          => invalid parameter "path_len=1"
ca on; ca on;               => "ca" directive is duplicate
ca on path_len=9;           => the path length is over 8 @end
ca on; ra on;               => not for both @end
ca on; key_usage cRLSign;   => needs the key usage "keyCertSign" @end
ca on; key x25519;          => serves no key usage of the profile @end
ra;                         => invalid number of arguments in "ra" directive
ra true;                    => invalid value "true"
ra on; ra on;               => "ra" directive is duplicate
ra on; key_usage keyAgreement;  => needs the key usage "digitalSignature" @end
ra off profile=second;      => invalid parameter "profile=second"
ra on crl=off;              => invalid parameter "crl=off"
ra on cr;                   => invalid parameter "cr"
ra on foo;                  => invalid parameter "foo"
ra on subject=;             => invalid parameter "subject="
ra on reasons=lost;         => invalid parameter "reasons=lost"
ra on profile=third;        => profile "third" of a trusted @ca
ra on subject=Example;      => "Example" is not of the form CN=... @ca
_EOC_

accepted('profile', <<'_EOC_');
ca off;
ra off;
ra on;
ra on profile=device,second "subject=CN=*,O=$O" san=dns:*.example;
ra on profile=second reasons=superseded,certificateHold unprotected_inner;
_EOC_

accepted('http', <<'_EOC_');
cmp_profile a { validity 1d; key ec:P-256; ca on; }
cmp_profile a { validity 1d; key ec:P-256; ca on path_len=0; }
cmp_profile a { validity 1d; key ec:P-256; ca on path_len=8; }
cmp_profile a { validity 1d; key ec:P-256; ca on; extension nameConstraints; }
_EOC_



=== extension, policy
--- test
refused('profile', <<'_EOC_');
extension;                       => invalid number of arguments
extension noSuchThing;           => unknown extension "noSuchThing"
extension clientAuth;            => unknown extension "clientAuth"
extension 1..2;                  => unknown extension "1..2"
extension 1.2.3 1.2.3;           => "1.2.3" is given twice
extension subjectAltName;        => follows rules of its own
extension keyUsage;              => follows rules of its own
extension 2.5.29.37;             => follows rules of its own
extension basicConstraints;      => follows rules of its own
extension nameConstraints;       => are for CA certificates only @end
extension crlDistributionPoints; crl_url http://a.example/; => both made @end
extension authorityInfoAccess; ocsp_url http://a.example/; => both made @end
extension certificatePolicies; policy 1.2.3; => both made by the profile @end
policy;                          => invalid number of arguments in "policy"
policy anyPolicy;                => invalid value "anyPolicy" in "policy"
policy 1.2.3,2.5.29.32.0;        => invalid value "1.2.3,2.5.29.32.0"
policy 1.2.3 9.9.9;              => invalid value "9.9.9" in "policy"
policy "";                       => invalid value "" in "policy" directive
policy .1;                       => is written in dotted numbers
policy 1.2.;                     => is written in dotted numbers
policy 1.2.3; policy 1.2.3;      => "1.2.3" is given twice
_EOC_

accepted('profile', <<'_EOC_');
extension 1.3.6.1.4.1.99999.5 tlsfeature;
policy 1.2.3; policy 1.2.4;
policy 1.3.6.1.4.1.99999.1 2.23.140.1.2.1;
_EOC_



=== flags
--- test
for my $name (qw(drop_extensions update_names release_itself
                 implicit_confirm))
{
    refused('profile', <<"_EOC_");
$name;               => invalid number of arguments in "$name" directive
$name on off;        => invalid number of arguments in "$name" directive
$name maybe;         => invalid value "maybe" in "$name" directive
$name on; $name on;  => "$name" directive is duplicate
_EOC_

    accepted('profile', <<"_EOC_");
$name on;
$name off;
_EOC_
}



=== approval
--- test
for my $name (qw(approval revocation_approval)) {
    refused('profile', <<"_EOC_");
$name;                                 => invalid number of arguments
$name on;                              => invalid value "on"
$name manual; $name off;               => "$name" directive is duplicate
_EOC_

    accepted('profile', <<"_EOC_");
$name manual;
$name off;
_EOC_
}



=== key_reuse
--- test
refused('profile', <<'_EOC_');
key_reuse;                             => invalid number of arguments
key_reuse always;                      => invalid value "always"
key_reuse never; key_reuse subject;    => "key_reuse" directive is duplicate
_EOC_

accepted('profile', <<'_EOC_');
key_reuse never;
key_reuse subject;
_EOC_



=== URLs
--- test
for my $name (qw(crl_url ocsp_url ca_issuers_url)) {
    refused('profile', <<"_EOC_");
$name;                     => invalid number of arguments in "$name"
$name pki.example/a.crl;   => invalid URL "pki.example/a.crl"
$name ftp://pki.example/;  => invalid URL "ftp://pki.example/"
$name http://;             => invalid URL "http://"
$name "http://a b/";       => invalid URL "http://a b/"
$name http://pki.example/ä;    => invalid URL "http://pki.example/ä"
$name http://pki.example/a x;  => invalid URL "x"
$name http:///nohost/;         => URL "http:///nohost/": it has no host
_EOC_

    my $many = join ' ', map { "http://$_.example/" } 1 .. 17;

    refused('profile', "$name $many; => more than 16 \@end");

    accepted('profile', <<"_EOC_");
$name http://pki.example/a.crl https://pki.example/a.crl;
$name http://pki.example/a; $name http://pki.example/b;
$name ldap://ldap.example/cn=a?certificateRevocationList;
_EOC_
}

my $long = 'http://pki.example/' . 'x' x 1024;

refused('profile', "crl_url $long; => invalid URL");



=== what is configured is what is issued
--- http_config eval
main::default_http_config(profile => <<'_EOC_')
backdate        0;
ext_key_usage   clientAuth 1.3.6.1.4.1.99999.1;
subject         required=CN O="Example" OU=A OU=B;
policy          1.3.6.1.4.1.99999.2 2.23.140.1.2.1;
crl_url         http://pki.example/a.crl;
ocsp_url        http://ocsp.example/;
ca_issuers_url  http://pki.example/a.cer;
_EOC_
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=profile
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem
--- test
my ($status, $out) = execute('openssl', 'x509', '-in', tmp('cert.pem'),
                             '-noout', '-text', '-nameopt', 'RFC2253');

like($out, qr/Subject: CN=profile,OU=B,OU=A,O=Example$/m, 'subject');
like($out, qr/Client Authentication, 1\.3\.6\.1\.4\.1\.99999\.1$/m, 'usage');
like($out, qr/Policy: 1\.3\.6\.1\.4\.1\.99999\.2$/m, 'first policy');
like($out, qr/Policy: 2\.23\.140\.1\.2\.1$/m, 'second policy');
like($out, qr{URI:http://pki\.example/a\.crl$}m, 'CRL');
like($out, qr{OCSP - URI:http://ocsp\.example/$}m, 'OCSP');
like($out, qr{CA Issuers - URI:http://pki\.example/a\.cer$}m, 'CA issuers');
--- sql
SELECT abs(extract(epoch FROM issued_at - not_before)) < 3,
       abs(extract(epoch FROM not_after - issued_at) - 30 * 86400) < 3
FROM cmp.certificate
--- sql_out
t|t
