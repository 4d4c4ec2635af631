package CMPTest;

# Copyright (C) ngx_http_cmp_module contributors
#
# Test::Nginx for this module.  A test file looks like this:
#
#     use lib 't/lib';
#     use CMPTest;
#
#     credential(reference => 'device1', secret => 'insecure');
#
#     run_tests();
#
#     __DATA__
#
#     === a certificate for a shared secret
#     --- cmp
#     ir -ref device1 -secret pass:insecure -subject /CN=device1
#        -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem
#     --- sql
#     SELECT count(*) FROM cmp.certificate
#     --- sql_out
#     1
#
# `t/run [-b sanitize|release] [FILE...]` runs it: it starts the database
# cluster, makes the PKI and tells this module by the environment where they
# are.  There is no plan to count: the number of tests is whatever ran.
#
# What every file gets for itself:
#
#     a database, a copy of one in which `cmpctl init` was run
#     a port (and one for TLS, and %%PORT2%%, %%PORT3%%), on 127.0.0.1 alone
#     a folder for nginx and one for temporary files, %%TMP%%
#
# What every block gets:
#
#     - the module is loaded
#     - `http_config`, when the block has none: default_http_config()
#     - `config`, when the block has none: default_config()
#     - a check that there is no [alert] and no [emerg] in the error log, also
#       none at shutdown, unless `error_log` names one, `must_die` is there,
#       or `alert_ok`
#     - a check that the sanitizers reported nothing
#
# In main_config, http_config, config, cmp, sql, test, request, raw_request,
# more_headers, response_body, response_headers and error_log these are
# replaced:
#
#     %%PORT%% %%TLS_PORT%% %%PORT2%% %%PORT3%%
#     %%CONNINFO%%       of the server, as cmp_server
#     %%ADMIN%%          of the file's database, as the superuser
#     %%PKI%%            the folder that t/lib/mkpki made
#     %%SEAL_KEY%%       the key file of the secrets
#     %%TMP%%            a folder for temporary files
#     %%NEWKEY%%         a fresh P-256 key, another one in each block
#
# Sections besides those of Test::Nginx, done in this order with the server
# running; a block with one of the first four needs no request:
#
#     cmp           commands of `openssl cmp`; a command begins in column 0
#                   with ir, cr, p10cr, kur, rr or genm, other lines continue
#                   it.  -server, -path, -trusted and the like have defaults
#     cmp_exit      exit code, or one a command; default 0
#     cmp_out       lines that the output has to contain; /.../ is a pattern
#     cmp_out_not   the opposite
#     test          Perl, in package main, with $block; the functions below
#                   and those of Test::More are there
#     wait_sql      a query, repeated for up to 10 s until it gives 't'
#     sql, sql_out  a query and what it gives, as `psql -At` prints it
#
# Functions:
#
#     port tls_port pki conninfo admin_conninfo seal_key tmp
#                           what the %%...%% above stand for; pki('a') and
#                           tmp('a') give the path of a file there
#     newkey(KIND)          path of a fresh key; P-256, P-384, rsa, ed25519...
#     client(ARG...)        runs `openssl cmp`, the first argument being the
#                           command: (exit code, output)
#     execute(PROGRAM, ARG...)
#                           any program: (exit code, output)
#     sql(QUERY)            what `psql -At` prints, without the last newline
#     cmpctl(ARG...)        the operator's command: (exit code, output)
#     credential(reference => R, secret => S, ca => 'devices', ...)
#                           adds a shared secret; other pairs are options
#                           of `cmpctl credential add`, undef: no value
#     http(METHOD, URI, BODY, HEADER => VALUE...)
#                           one request over a connection of its own, to
#                           port() or $CMPTest::Port:
#                           { status, headers, body, raw }
#     raw(BYTES, TIMEOUT)   sends, returns all that comes until the end
#     wait_for(CODE, SECONDS)
#                           calls CODE until it is true; false at the end
#     error_log()           the text of the error log
#     nginx_pid()           of the process in the pid file
#     reload()              HUP, waits until the new configuration works
#     own_cluster()         a PostgreSQL cluster for this file alone, for
#                           tests that stop it; to be called before
#                           run_tests().  cluster('stop', 'immediate'),
#                           cluster('start'), cluster('restart') then act
#                           on it
#     default_http_config(NAME => TEXT...)
#                           text for http_config: a store, a profile
#                           "device", a CA "devices".  NAME is store, keys,
#                           profile, ca (lines added there), http (lines added
#                           outside), level, key...; see below
#     default_config()      locations for it: /pkix/, /.well-known/cmp and
#                           /crl/devices.crl

use strict;
use warnings;

use Fcntl qw(:flock);
use File::Path ();
use IO::Socket::INET;
use Socket;
use Test::More ();
use Text::ParseWords ();
use Time::HiRes qw(sleep time);

our ($Port, $TlsPort, $Port2, $Port3, $Tmp, $Database, $Cluster, $Admin);
our ($Expand, @locks, %known_reports);

our @functions = qw(
    port tls_port pki conninfo admin_conninfo seal_key tmp newkey client execute
    sql cmpctl credential http raw wait_for error_log nginx_pid reload
    own_cluster cluster default_http_config default_config
);

my @expanded = qw(
    main_config http_config config cmp cmp_out cmp_out_not sql sql_out
    wait_sql test request raw_request more_headers response_body
    response_headers error_log user_files
);


sub import {
    my $caller = caller;

    setup();

    require Test::Nginx::Socket;
    eval "package $caller; Test::Nginx::Socket->import('no_plan'); 1"
        or die $@;

    {
        no strict 'refs';
        no warnings 'redefine';

        for my $name (@functions) {
            *{"${caller}::$name"} = \&{$name};
        }

        for my $name (qw(ok is isnt like unlike is_deeply diag note pass fail
                         cmp_ok skip))
        {
            *{"${caller}::$name"} = \&{"Test::More::$name"};
        }
    }

    prepare_nginx();
}


sub need {
    my $name = shift;

    return $ENV{$name} // Test::More::BAIL_OUT(
        "$name is not set: run the tests with t/run");
}


# Ports below the range that outgoing connections take theirs from.  A lock
# keeps the files that run at the same time apart.

sub free_port {
    my $locks = need('TEST_CMP_DIR') . '/ports';

    File::Path::make_path($locks);

    for (1 .. 1000) {
        my $port = 10000 + int(rand(20000));

        open my $lock, '>', "$locks/$port" or next;
        flock($lock, LOCK_EX | LOCK_NB) or next;

        my $sock = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            Listen => 1, ReuseAddr => 1
        ) or next;

        close $sock;
        push @locks, $lock;

        return $port;
    }

    die "no free port";
}


sub setup {
    my $dir = need('TEST_CMP_DIR');
    my ($name) = $0 =~ m{([^/]+?)(?:\.t)?$};

    $name =~ s/[^A-Za-z0-9]/_/g;

    srand($$ ^ time());

    $_ = free_port() for $Port, $TlsPort, $Port2, $Port3;

    $Tmp = "$dir/tmp-$name";
    File::Path::remove_tree($Tmp);
    File::Path::make_path($Tmp);

    $ENV{TEST_NGINX_SERVROOT} = "$dir/servroot-$name";
    $ENV{TEST_NGINX_SERVER_PORT} = "127.0.0.1:$Port";
    $ENV{TEST_NGINX_CLIENT_PORT} = $Port;
    $ENV{TEST_NGINX_STREAM_PORT} = $Port2;
    $ENV{TEST_NGINX_TIMEOUT} ||= 10;
    $ENV{TEST_NGINX_NO_SHUFFLE} //= 1;
    $ENV{no_proxy} = $ENV{NO_PROXY} = '127.0.0.1,localhost';

    $Admin = need('TEST_CMP_CONNINFO');
    $Database = lc "t_$name";
    new_database();

    $Expand = {
        PORT => sub { $Port }, TLS_PORT => sub { $TlsPort },
        PORT2 => sub { $Port2 }, PORT3 => sub { $Port3 },
        CONNINFO => \&conninfo, ADMIN => \&admin_conninfo,
        PKI => \&pki, SEAL_KEY => \&seal_key, TMP => \&tmp,
    };
}


sub new_database {
    my ($status, $out) = execute('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
        '-d', with_database('postgres'),
        '-c', "DROP DATABASE IF EXISTS $Database",
        '-c', "CREATE DATABASE $Database TEMPLATE cmp");

    Test::More::BAIL_OUT("cannot make a database: $out") if $status != 0;
}


sub with_database {
    my ($name, $user) = @_;
    my $conninfo = $Admin;

    $conninfo =~ s/\bdbname=\S+/dbname=$name/;
    $conninfo =~ s/\buser=\S+/user=$user/ if defined $user;

    return $conninfo;
}


sub prepare_nginx {
    my $helper = $Test::Nginx::Util::RunTestHelper;
    my $check = $Test::Nginx::Util::CheckErrorLog;

    Test::Nginx::Util::add_block_preprocessor(\&prepare_block);

    # an nginx that does not start fails this file, not the whole run

    {
        no warnings qw(redefine prototype);

        *Test::Nginx::Util::bail_out = sub (@) {
            Test::More::fail("@_");
            exit 1;
        };
    }

    $Test::Nginx::Util::RunTestHelper = sub {
        my ($block, $dry_run, $n) = @_;

        if (has_steps($block)) {
            steps($block);
        }

        if (defined $block->request || defined $block->raw_request
            || defined $block->pipelined_requests)
        {
            $helper->($block, $dry_run, $n);

        } else {
            Test::Nginx::Socket::check_error_log($block, undef, $dry_run, $n,
                                                 0);
        }

        database_steps($block);
        check_block($block);
    };

    $Test::Nginx::Util::CheckErrorLog = sub {
        local $SIG{__WARN__} = sub {
            warn @_ if $_[0] !~ /\[emerg\]/;
        };

        $check->(@_);
        check_reports($_[0]->name);
    };
}


sub has_steps {
    my $block = shift;

    return defined $block->cmp || defined $block->test;
}


sub expand {
    my ($text, $key) = @_;

    $text =~ s/%%([A-Z0-9_]+)%%/
        $1 eq 'NEWKEY' ? ($$key \/\/= newkey())
        : exists $Expand->{$1} ? $Expand->{$1}->()
        : "%%$1%%"/gex;

    return $text;
}


sub prepare_block {
    my $block = shift;
    my $key;

    if (!defined $block->http_config) {
        $block->set_value('http_config', default_http_config());
    }

    if (!defined $block->config) {
        $block->set_value('config', default_config());
    }

    for my $name (@expanded) {
        my $value = $block->$name;

        next if !defined $value;

        if (ref $value eq 'ARRAY') {
            $block->set_value($name,
                [ map { ref $_ ? $_ : expand($_, \$key) } @$value ]);

        } elsif (!ref $value) {
            $block->set_value($name, expand($value, \$key));
        }
    }

    my $main = $block->main_config // '';
    my $add = '';

    if ($ENV{TEST_CMP_MODULE}) {
        $add .= "load_module $ENV{TEST_CMP_MODULE};\n";
    }

    $add .= "env $_;\n" for qw(ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS);

    $block->set_value('main_config', $add . $main);

    if (defined $block->must_die) {
        $block->set_value('suppress_stderr', 1);
    }

    if (!defined $block->no_shutdown_error_log && !alert_expected($block)) {
        $block->set_value('no_shutdown_error_log', '[alert]');
    }
}


sub alert_expected {
    my $block = shift;
    my $expected = $block->error_log // '';

    $expected = join "\n", @$expected if ref $expected eq 'ARRAY';

    return 1 if defined $block->alert_ok || defined $block->must_die;
    return $expected =~ /\[(?:alert|emerg)/;
}


sub steps {
    my $block = shift;
    my $name = $block->name;

    if (defined $block->cmp) {
        my @exits = split ' ', $block->cmp_exit // '0';
        my $all = '';

        for my $line (commands($block->cmp)) {
            my $expected = @exits > 1 ? shift @exits : $exits[0];
            my ($status, $out) = client(Text::ParseWords::shellwords($line));

            Test::More::is($status, $expected,
                           "$name - exit code of openssl cmp")
                or Test::More::diag($out);
            $all .= $out;
        }

        for my $pattern (split /\n+/, $block->cmp_out // '') {
            Test::More::like($all, matcher($pattern), "$name - cmp_out");
        }

        for my $pattern (split /\n+/, $block->cmp_out_not // '') {
            Test::More::unlike($all, matcher($pattern), "$name - cmp_out_not");
        }
    }

    if (defined $block->test) {
        my $code = $block->test;

        $main::block = $main::block = $block;
        eval "package main; no strict; #line 1 \"$name\"\n$code; 1"
            or Test::More::fail("$name - test died: $@");
    }
}


sub matcher {
    my $pattern = shift;

    return $pattern =~ m{^/(.*)/$} ? qr/$1/ : qr/\Q$pattern\E/;
}


sub commands {
    my @commands;

    for my $line (split /\n/, shift) {
        next if $line =~ /^\s*(?:#.*)?$/;

        if ($line =~ /^\S/) {
            push @commands, $line;
        } else {
            $commands[-1] .= " $line";
        }
    }

    return @commands;
}


sub database_steps {
    my $block = shift;
    my $name = $block->name;

    if (defined $block->wait_sql) {
        my $query = $block->wait_sql;

        Test::More::ok(wait_for(sub { sql($query) eq 't' }, 10),
                       "$name - wait_sql");
    }

    if (defined $block->sql) {
        my $expected = $block->sql_out // '';

        $expected =~ s/\s+$//;
        Test::More::is(sql($block->sql), $expected, "$name - sql");
    }
}


sub check_block {
    my $block = shift;
    my $name = $block->name;

    if (!alert_expected($block)) {
        my @bad = grep { /\[(?:alert|emerg)\]/ } split /^/, error_log();

        Test::More::is(scalar @bad, 0, "$name - no alert in the error log")
            or Test::More::diag(@bad);
    }

    check_reports($name);
}


# the sanitizers write a file a process

sub check_reports {
    my $name = shift;
    my @new = grep { -s $_ && !$known_reports{$_}++ }
              glob(need('TEST_CMP_DIR') . '/san.*');

    # a file that runs at the same time may have caused it; the driver fails
    # for any

    for my $file (@new) {
        Test::More::diag("$name - sanitizer report $file\n" . slurp($file));
    }

    my @own = grep { slurp($_) =~ /\bcmp_|ngx_http_cmp/ } @new;

    Test::More::is(scalar @own, 0, "$name - no sanitizer report");
}


sub slurp {
    my $file = shift;

    open my $fh, '<', $file or return '';
    local $/;

    return <$fh> // '';
}


sub port           { return $Port }
sub tls_port       { return $TlsPort }
sub conninfo       { return with_database($Database, 'cmp_server') }
sub admin_conninfo { return with_database($Database) }
sub seal_key       { return pki('seal.key') }

sub pki {
    return join '/', need('TEST_CMP_PKI'), @_;
}

sub tmp {
    return join '/', $Tmp, @_;
}


sub execute {
    my @command = @_;
    my $pid = open(my $fh, '-|') // die "fork() failed: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        no warnings;
        exec { $command[0] } @command;
        print "exec($command[0]) failed: $!\n";
        require POSIX;
        POSIX::_exit(127);
    }

    local $/;
    my $out = <$fh> // '';
    close $fh;

    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $out);
}


my $nkeys = 0;

sub newkey {
    my $kind = shift // 'P-256';
    my $file = tmp('key-' . ++$nkeys . '.pem');
    my @how = $kind =~ /^P-/
                  ? ('EC', '-pkeyopt', "ec_paramgen_curve:$kind")
            : $kind =~ /^rsa(?::(\d+))?$/
                  ? ('RSA', '-pkeyopt', 'rsa_keygen_bits:' . ($1 // 2048))
            : (uc $kind);
    my ($status, $out) = execute('openssl', 'genpkey', '-out', $file,
                             '-algorithm', @how);

    die "openssl genpkey failed: $out" if $status != 0;

    return $file;
}


sub client {
    my ($command, @args) = @_;
    my %given = map { $_ => 1 } grep { /^-/ } @args;
    my @defaults = (
        -server => "127.0.0.1:$Port",
        -path => 'pkix/',
        -trusted => pki('root.pem'),
        -untrusted => pki('ca.pem'),
        -msg_timeout => 10,
        -total_timeout => 30,
    );

    while (my ($option, $value) = splice @defaults, 0, 2) {
        next if $given{$option};
        next if $option eq '-trusted' && $given{-srvcert};
        push @args, $option, $value;
    }

    return execute($ENV{TEST_CMP_OPENSSL} || 'openssl', 'cmp', '-config', '',
               '-no_proxy', '127.0.0.1,localhost', '-cmd', $command, @args);
}


sub sql {
    my ($status, $out) = execute('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
                             '-d', admin_conninfo(), '-c', shift);

    $out =~ s/\s+$//;

    return $status == 0 ? $out : "psql failed: $out";
}


sub cmpctl {
    return execute($ENV{TEST_CMP_CMPCTL} || 'sql/cmpctl',
               '--dsn', admin_conninfo(), '--key-file', seal_key(), @_);
}


sub credential {
    my %options = (ca => 'devices', @_);
    my $secret = delete $options{secret};
    my @args;

    for my $name (sort keys %options) {
        push @args, "--$name";
        push @args, $options{$name} if defined $options{$name};
    }

    my $file = tmp('secret');

    open my $fh, '>', $file or die "$file: $!";
    print $fh $secret;
    close $fh;

    my ($status, $out) = execute('/bin/sh', '-c', 'exec "$@" <"$0"', $file,
        $ENV{TEST_CMP_CMPCTL} || 'sql/cmpctl', '--dsn', admin_conninfo(),
        '--key-file', seal_key(), 'credential', 'add', @args,
        '--secret-stdin');

    Test::More::BAIL_OUT("cmpctl credential add failed: $out")
        if $status != 0;

    return $out;
}


sub raw {
    my ($bytes, $timeout) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $Port, Proto => 'tcp') or return undef;
    my $end = time() + ($timeout // 10);
    my $all = '';

    local $SIG{PIPE} = 'IGNORE';
    $sock->autoflush(1);
    print $sock $bytes;

    while ((my $left = $end - time()) > 0) {
        my $set = '';

        vec($set, fileno $sock, 1) = 1;
        last if select($set, undef, undef, $left) <= 0;
        last if !sysread($sock, $all, 65536, length $all);
    }

    close $sock;

    return $all;
}


sub http {
    my ($method, $uri, $body, %headers) = @_;
    my $text = "$method $uri HTTP/1.1\r\n";

    %headers = ('Host' => 'localhost', 'Connection' => 'close', %headers);

    if (defined $body && !exists $headers{'Content-Length'}) {
        $headers{'Content-Length'} = length $body;
    }

    for my $name (sort keys %headers) {
        $text .= "$name: $headers{$name}\r\n" if defined $headers{$name};
    }

    my $raw = raw("$text\r\n" . ($body // '')) // '';
    my ($head, $content) = split /\r\n\r\n/, $raw, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.\d (\d+)};
    my %received;

    while (($head // '') =~ /^([^:\r\n]+): *([^\r\n]*)/mg) {
        $received{lc $1} = $2;
    }

    return { status => $status // 0, headers => \%received,
             body => $content // '', raw => $raw };
}


sub wait_for {
    my ($code, $seconds) = @_;
    my $end = time() + ($seconds // 10);

    while (1) {
        my $value = $code->();

        return $value if $value;
        return 0 if time() > $end;
        sleep 0.05;
    }
}


sub error_log {
    return slurp("$ENV{TEST_NGINX_SERVROOT}/logs/error.log");
}


sub nginx_pid {
    my $pid = slurp("$ENV{TEST_NGINX_SERVROOT}/logs/nginx.pid");

    $pid =~ s/\s+//g;

    return $pid;
}


# needs master_on() in the test file

sub reload {
    my $before = () = error_log() =~ /reconfiguring/g;
    my $done = () = error_log() =~ /start worker process /g;

    kill 'HUP', nginx_pid();

    return wait_for(sub {
        my $log = error_log();
        my $now = () = $log =~ /reconfiguring/g;
        my $started = () = $log =~ /start worker process /g;

        return $now > $before && $started > $done;
    }, 10);
}


sub own_cluster {
    $Cluster = tmp('pg');

    cluster('start');

    my ($status, $out) = execute($ENV{TEST_CMP_CMPCTL} || 'sql/cmpctl',
                             '--dsn', $Admin, 'init');

    Test::More::BAIL_OUT("cmpctl init failed: $out") if $status != 0;

    $Database = 'cmp';
}


sub cluster {
    my ($command, @args) = @_;
    my ($status, $out) = execute('t/lib/pgcluster', $command, $Cluster, @args);

    Test::More::BAIL_OUT("pgcluster $command failed: $out") if $status != 0;

    if ($command ne 'stop') {
        ($Admin) = $out =~ /^(host=.*)$/m;
    }
}


# A store, a profile and a CA.  Arguments are lines to add: store (parameters
# of cmp_store), profile, ca, http; or replace: keys (of the profile),
# certificate, key, response, response_key, trusted (lines).

sub default_http_config {
    my %with = (
        certificate => pki('ca-chain.pem'), key => pki('ca.key'),
        response => pki('response.pem'), response_key => pki('response.key'),
        keys => 'ec:P-256 ec:P-384 ec:P-521 ed25519 ed448 rsa:2048-4096',
        store => '', profile => '', ca => '', http => '',
        keys => 'ec:P-256 ec:P-384 ed25519 rsa:2048-4096', @_
    );
    my $trusted = $with{trusted}
        // '    trusted_certificate ' . pki('vendor-root.pem') . ";\n"
           . '    trusted_crl ' . pki('vendor.crl') . ";\n";

    return <<"_EOC_";
cmp_store "${\conninfo()}" key=${\seal_key()} $with{store};

cmp_profile device {
    validity        30d;
    key             $with{keys};
    key_usage       digitalSignature keyAgreement;
$with{profile}
}

cmp_ca devices {
    certificate               $with{certificate};
    certificate_key           $with{key};
    response_certificate      $with{response};
    response_certificate_key  $with{response_key};
$trusted
    profile                   device;
$with{ca}
}

$with{http}
_EOC_
}


sub default_config {
    return <<'_EOC_';
location /pkix/             { cmp_pass devices; }
location /.well-known/cmp   { cmp_pass devices; }
location = /crl/devices.crl { cmp_crl devices; }
_EOC_
}


END {
    local $?;

    if (defined $Cluster && -d $Cluster) {
        execute('t/lib/pgcluster', 'stop', $Cluster, 'immediate');
    }
}


1;
