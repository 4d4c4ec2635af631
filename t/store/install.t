#!/usr/bin/perl

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl as `make install` puts it there: it finds its parts, the SQL files and
# its helper wherever the tree is, also through links, and says so when one of
# them is missing.
#
# build: release

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/../lib";
use CMPStore;
use Test::More;

make_programs();
database();

my $root = abs_path("$FindBin::Bin/../..");
my $dest = tmp('dest');
my $share = "$dest/usr/local/share/ngx_http_cmp_module";
my $helper = delete $ENV{CMPCTL_SEAL};
my ($status, $out, $err);


sub installed {
    my $command = shift;

    ($status, $out, $err) = program($command, '--dsn', admin(), @_);
}


# the module and the load generator are not needed here, and not there with
# every build

sub fill {
    my ($file, $text, $mode) = @_;

    open my $fh, '>', $file or die "$file: $!";
    print $fh $text;
    close $fh;
    chmod $mode, $file;
}

mkdir tmp($_) for qw(built built/nginx built/nginx/objs built/t built/t/bench
                     elsewhere);
fill(tmp('built/t/bench/cmpload'), "#!/bin/sh\n", 0755);
fill(tmp('built/nginx/objs/ngx_http_cmp_module.so'), 'module', 0644);
fill(tmp('nginx'), "#!/bin/sh\necho '--modules-path=/usr/lib/modules' >&2\n",
     0755);
symlink $helper, tmp('built/cmpctl-seal') or die;

{
    local $ENV{OUT} = tmp('built');
    local $ENV{NGINX_BIN} = tmp('nginx');
    local $ENV{DESTDIR} = $dest;
    local $ENV{PREFIX} = '';

    ($status, $out, $err) = program('/bin/sh', '-c',
                                    "cd '$root' && exec build/install.sh");
}

is($status, 0, 'installs') or diag($out, $err);
ok(-f "$dest/usr/lib/modules/ngx_http_cmp_module.so", 'the module');
ok(-x "$dest/usr/local/bin/cmpload", 'the load generator');

my @odd = grep { -e && ! /\.(?:pm|sql)$/ } glob("$share/*/* $share/*/*/*.*");

is("@odd", "$share/perl/Cmpctl", 'parts and SQL files, nothing else');

my $cmpctl = "$dest/usr/local/bin/cmpctl";

ok(-x $cmpctl, 'the command');

installed($cmpctl, 'init');
is($status, 0, 'init') or diag($err);
like($out, qr/up to date/, 'finds the SQL files');

# the helper

fill(tmp('key'), '30' x 32 . "\n", 0600);
installed($cmpctl, '--key-file', tmp('key'), 'credential', 'add', '--ca',
          'devices', '--reference', 'a');
is($status, 0, 'credential add') or diag($err);

# through links: of the file, of a folder above it

symlink $cmpctl, tmp('elsewhere/ctl') or die;
symlink "$dest/usr", tmp('elsewhere/usr') or die;

for my $command (tmp('elsewhere/ctl'), tmp('elsewhere/usr/local/bin/cmpctl')) {
    installed($command, 'ca', 'list', '--json');
    is($status, 0, $command) or diag($err);
    like($out, qr/"devices"/, 'works');
}

($status, $out, $err) = program('/bin/sh', '-c', 'cd "$1" && PATH=.:$PATH '
    . 'exec ctl --dsn "$2" ca list', 'sh', tmp('elsewhere'), admin());
is($status, 0, 'found by PATH, in the current folder') or diag($err);

# parts that are missing

for my $part (qw(CA CRL Certificate Common Credential Database Report Schema)) {
    my $file = "$share/perl/Cmpctl/$part.pm";

    rename $file, tmp('part') or die "$file: $!";
    installed($cmpctl, 'ca', 'list');
    is($status, 1, "without $part.pm");
    like($err, qr{^cmpctl: its part Cmpctl/$part\.pm is not in \Q$dest\E/usr/},
         'says which, and where');
    is($out, '', 'and nothing else');
    rename tmp('part'), $file or die;
}

SKIP: {
    skip('another cmpctl is installed', 2)
        if -d '/usr/share/ngx_http_cmp_module/perl';

    rename "$share/perl", "$share/gone" or die;
    installed($cmpctl, '--help');
    is($status, 1, 'without any part');
    like($err, qr{^cmpctl: its part \S+ is not in \S+/bin/perl or \S+/bin/\.\./},
         'says where they are looked for');
    rename "$share/gone", "$share/perl" or die;
}

installed($cmpctl, 'ca', 'list');
is($status, 0, 'all of them again');

done_testing();
