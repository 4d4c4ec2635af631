#!/usr/bin/perl

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl ca rollover: what does not fit together is refused.
#
# build: release

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use CMPStore;
use JSON::PP ();
use Test::More;

database();

value("SELECT cmp.ca_register('devices', 'x')", server());

my @rollover = ('ca', 'rollover', '--ca', 'devices');
my ($status, $out, $err);


sub openssl {
    system('openssl', @_) == 0 or BAIL_OUT("openssl @_ failed");
}


sub file {
    my ($name, $text) = @_;

    open my $fh, '>', tmp($name) or die;
    print $fh $text;
    close $fh;

    return tmp($name);
}


my $ca = "basicConstraints=critical,CA:TRUE\n"
         . "keyUsage=critical,keyCertSign,cRLSign\n"
         . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

file('ca.ext', $ca);
file('ee.ext', "basicConstraints=critical,CA:FALSE\n");


# NAME.pem with the subject and the key of one, signed by another

sub certificate {
    my ($name, $subject, $key, $by, $by_key, $ext) = @_;
    my $dir = tmp('.');

    if (!-f tmp("$key.key")) {
        openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
                'ec_paramgen_curve:P-256', '-out', tmp("$key.key"));
    }

    openssl('req', '-new', '-config', '/dev/null', '-subj', $subject, '-key',
            tmp("$key.key"), '-out', tmp("$name.csr"));

    my @by = $by eq $name
        ? ('-signkey', tmp("$key.key"))
        : ('-CA', tmp("$by.pem"), '-CAkey', tmp("$by_key.key"),
           '-set_serial', 7);

    openssl('x509', '-req', '-in', tmp("$name.csr"), '-out',
            tmp("$name.pem"), '-days', 30, '-extfile',
            tmp($ext // 'ca.ext'), @by);
}


{
    open my $saved, '>&', \*STDERR;
    open STDERR, '>', tmp('openssl.log');

    certificate('old', '/O=Example/CN=Root 1', 'old', 'old');
    certificate('new', '/O=Example/CN=Root 2', 'new', 'new');
    certificate('nwo', '/O=Example/CN=Root 2', 'new', 'old', 'old');
    certificate('own', '/O=Example/CN=Root 1', 'old', 'new', 'new');
    certificate('alien', '/O=Alien/CN=Root', 'alien', 'alien');
    certificate('nwa', '/O=Example/CN=Root 2', 'new', 'alien', 'alien');
    certificate('key', '/O=Example/CN=Root 2', 'alien', 'old', 'old');
    certificate('name', '/O=Example/CN=Root 3', 'new', 'old', 'old');
    certificate('owa', '/O=Example/CN=Root 1', 'old', 'alien', 'alien');
    certificate('ee', '/O=Example/CN=Root 2', 'new', 'ee', 'new', 'ee.ext');

    open STDERR, '>&', $saved;
}

openssl('x509', '-in', tmp('new.pem'), '-outform', 'DER', '-out',
        tmp('new.der'));


sub files {
    my %files = @_;

    return (@rollover, map { ("--$_" => tmp($files{$_})) } sort keys %files);
}


sub run_ok {
    my $what = shift;

    ($status, $out, $err) = cmpctl(@_);
    is($status, 0, $what) or diag($out, $err);
}


sub run_not {
    my ($what, $code, $text, @args) = @_;

    ($status, $out, $err) = cmpctl(@args);
    is($status, $code, $what);
    like($err, $text, "$what: says why");
}


sub stored {
    return value("SELECT (new_with_new IS NOT NULL)::int || ' '"
        . " || (new_with_old IS NOT NULL)::int || ' '"
        . " || (old_with_new IS NOT NULL)::int || ' '"
        . " || (old_root IS NOT NULL)::int FROM cmp.rollover");
}


run_not('no CA', 2, qr/--ca is missing/, 'ca', 'rollover', '--show');
run_not('nothing to do', 2, qr/--new-root is missing/, @rollover);
run_not('two things to do', 2, qr/exclude each other/, @rollover, '--show',
        '--cancel');
run_not('a CA that nobody knows', 1, qr/there is no CA "other"/, 'ca',
        'rollover', '--ca', 'other', '--new-root', tmp('new.pem'));
run_not('cancel nothing', 1, qr/no new root is prepared/, @rollover,
        '--cancel');
run_not('no file', 1, qr/nothing-here/, files('new-root' => 'nothing-here'));
run_not('no certificate', 1, qr/ca\.ext is not a certificate/,
        files('new-root' => 'ca.ext'));
run_not('not self-signed', 1, qr/nwo\.pem is not a self-signed CA/,
        files('new-root' => 'nwo.pem'));
run_not('not a CA', 1, qr/ee\.pem is not/, files('new-root' => 'ee.pem'));
run_not('new-with-old without the old key', 2, qr/--old-root or/,
        files('new-root' => 'new.pem', 'new-with-old' => 'nwo.pem'));

my @two = ('new-root' => 'new.pem', 'old-root' => 'old.pem');

run_not('the same root twice', 1, qr/are the same certificate/,
        files('new-root' => 'new.pem', 'old-root' => 'new.pem'));
run_not('new-with-old by another key', 1,
        qr/nwa\.pem is not signed by the key of .*old\.pem/,
        files(@two, 'new-with-old' => 'nwa.pem'));
run_not('new-with-old with another key', 1,
        qr/key\.pem has not the key of .*new\.pem/,
        files(@two, 'new-with-old' => 'key.pem'));
run_not('new-with-old with another name', 1,
        qr/name\.pem has not the subject of .*new\.pem/,
        files(@two, 'new-with-old' => 'name.pem'));
run_not('new-with-old is the new root', 1, qr/not signed by the key/,
        files(@two, 'new-with-old' => 'new.pem'));
run_not('old-with-new by another key', 1, qr/owa\.pem is not signed by/,
        files(@two, 'old-with-new' => 'owa.pem'));
run_not('old-with-new of another root', 1,
        qr/own\.pem has not the subject of .*alien\.pem/,
        files('new-root' => 'new.pem', 'old-root' => 'alien.pem',
              'old-with-new' => 'own.pem'));
run_not('old-with-new is the new root', 1, qr/has the key of/,
        files('new-root' => 'new.pem', 'old-with-new' => 'new.pem'));

is(stored(), '', 'nothing is stored');

run_ok('all four', files(@two, 'new-with-old' => 'nwo.pem',
                         'old-with-new' => 'own.pem'));
is(stored(), '1 1 1 1', 'all are stored');

run_ok('show', @rollover, '--show', '--json');
my $row = JSON::PP::decode_json($out);
my $pem = do { local (@ARGV, $/) = tmp('nwo.pem'); <> };
is("$row->{new_with_old}\n", $pem, 'PEM of a certificate');

run_ok('another one, in DER', files('new-root' => 'new.der'));
is(stored(), '1 0 0 0', 'all of it is new');
run_ok('without the old root', files('new-root' => 'new.pem',
       'new-with-old' => 'nwo.pem', 'old-with-new' => 'own.pem'));
is(stored(), '1 1 1 0', 'stored');

run_ok('cancel', @rollover, '--cancel');
is(stored(), '', 'cancelled');
run_ok('show nothing', @rollover, '--show');

run_ok('audit', 'audit', 'list', '--action', 'ca rollover', '--json');
my $list = JSON::PP::decode_json($out);
is(scalar @$list, 4, 'each change is in the audit');
is($list->[0]{text}, 'cancelled', 'the latest');
like($list->[1]{text}, qr/^new root, SHA-256 [0-9a-f]{64}$/, 'which root');

done_testing();
