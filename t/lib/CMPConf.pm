package CMPConf;

# Copyright (C) ngx_http_cmp_module contributors
#
# Tables of settings for `nginx -t`, for test files about directives:
#
#     refused('profile', <<'_EOC_');
#     validity;              => invalid number of arguments in "validity"
#     ca on path_len=x;      => invalid parameter "path_len=x"
#     ! validity 30d;        => no "key" in the profile @end
#     _EOC_
#
# One line is one configuration: what stands before the arrow is put on a line
# of its own into an otherwise good block, or is all of the block after a "!".
# nginx has to refuse it with the message, and to name that line: after @end
# the one where the block ends, after @begin the one where it begins, after @ca
# the one where the block of the CA begins.
#
#     accepted('ca', <<'_EOC_');
#     confirm_timeout 1h;
#     _EOC_
#
# The first argument says where it stands: profile, ca, store (the words after
# cmp_store), http, server, location or main.
#
#     make_cert(NAME, SUBJECT, OPTION...)
#                   a self-signed certificate and its key, tmp(NAME.pem) and
#                   tmp(NAME.key), options are those of `openssl req`
#     make_file(NAME, TEXT, MODE)
#                   a file, its path

use strict;
use warnings;

use CMPTest ();
use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(refused accepted make_cert make_file);

my @places = qw(main http store profile ca server location);


sub make_file {
    my ($name, $text, $mode) = @_;
    my $file = CMPTest::tmp($name);

    unlink $file;
    open my $fh, '>', $file or die "$file: $!";
    print $fh $text;
    close $fh;

    chmod $mode // 0600, $file;

    return $file;
}


sub make_cert {
    my ($name, $subject, @options) = @_;
    my %given = map { $_ => 1 } @options;
    my @key = $given{-key} || $given{-newkey}
                  ? () : qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256);
    my @out = $given{-key} ? () : ('-keyout', CMPTest::tmp("$name.key"));
    my $config = make_file('req.cnf', "[req]\ndistinguished_name = dn\n"
                                      . "[dn]\n");

    my ($status, $out) = CMPTest::execute('openssl', 'req', '-config', $config,
        '-x509', '-nodes', '-days', 30, '-subj', $subject, @key, @options,
        @out, '-out', CMPTest::tmp("$name.pem"));

    die "openssl req failed: $out" if $status != 0;

    return CMPTest::tmp("$name.pem");
}


# the text of a configuration, and where the block of the place begins, where
# the settings are, and where it ends

sub configuration {
    my ($place, $settings) = @_;
    my $alone = $settings =~ s/^!\s*//;
    my %with = map { $_ => '' } @places;
    my $good = {
        profile => "validity 30d;\nkey ec:P-256;",
        ca => 'certificate ' . CMPTest::pki('ca-chain.pem') . ";\n"
              . 'certificate_key ' . CMPTest::pki('ca.key') . ";\n"
              . "profile device second;",
        store => '"' . CMPTest::conninfo() . '"',
    };

    $good->{$place} = '' if $alone;
    $with{$place} = "# here\n$settings\n";

    my $store = "cmp_store $good->{store};";

    $store = "# here\ncmp_store $good->{store} $settings;"
        if $place eq 'store';

    my $module = $ENV{TEST_CMP_MODULE}
                     ? "load_module $ENV{TEST_CMP_MODULE};" : '';
    my $dir = CMPTest::tmp();
    my $port = $CMPTest::Port3;
    my $temp = join "\n", map { "${_}_temp_path $dir/$_;" }
                   qw(client_body proxy fastcgi uwsgi scgi);

    my $text = <<"_EOC_";
$module
pid $dir/conf.pid;
error_log $dir/conf.log;
$with{main}
events { }
http {
access_log off;
$temp
$store
cmp_profile second { validity 1d; key ed25519; }
cmp_profile device {   # begin profile
$good->{profile}
$with{profile}
}   # end profile
cmp_ca devices {   # begin ca
$good->{ca}
$with{ca}
}   # end ca
$with{http}
server {
listen 127.0.0.1:$port;
location /pkix/ { cmp_pass devices; }
$with{server}
location /here/ {
$with{location}
}
}
}
_EOC_

    my %lines;
    my $n = 0;

    for my $line (split /\n/, $text) {
        $n++;
        $lines{here} = $n + 1 if $line eq '# here';
        $lines{begin} = $n if $line =~ /# begin $place$/;
        $lines{end} = $n if $line =~ /# end $place$/;
        $lines{ca} = $n if $line =~ /# begin ca$/;
    }

    # a directive may be reported where it ends

    $lines{end} //= $lines{here};
    $lines{begin} //= $lines{here};

    return ($text, \%lines);
}


sub nginx_t {
    my ($place, $settings) = @_;
    my ($text, $lines) = configuration($place, $settings);
    my $file = make_file('conf.conf', $text, 0644);

    unlink CMPTest::tmp('conf.log');

    my ($status, $out) = CMPTest::execute($ENV{TEST_NGINX_BINARY}, '-t',
        '-e', CMPTest::tmp('conf.log'), '-p', CMPTest::tmp(), '-c', $file);

    return ($status, $out, $lines, $file);
}


sub rows {
    return grep { /\S/ && !/^\s*#/ } split /\n/, shift;
}


sub refused {
    my ($place, $table) = @_;

    for my $row (rows($table)) {
        my ($settings, $message) = split /\s+=>\s+/, $row, 2;
        my $where = $message =~ s/\s+\@(end|begin|ca)\s*$// ? $1 : 'here';
        my ($status, $out, $lines, $file) = nginx_t($place, $settings);
        my @found = grep { /\[emerg\]/ && index($_, $message) >= 0
                           && /\Q$file:$lines->{$where}\E$/ }
                    split /\n/, $out;

        Test::More::ok($status == 1 && @found == 1,
                       "$place: \"$settings\" is refused: $message")
            or Test::More::diag("expected at $file:$lines->{$where}\n",
                                "exit code $status: $out");
    }
}


sub accepted {
    my ($place, $table) = @_;

    for my $row (rows($table)) {
        my ($status, $out) = nginx_t($place, $row);

        Test::More::ok($status == 0 && $out !~ /\[(?:warn|error|crit)\]/,
                       "$place: \"$row\" is accepted")
            or Test::More::diag("exit code $status: $out");
    }
}


1;
