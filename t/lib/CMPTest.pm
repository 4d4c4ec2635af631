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
# Functions, which are in CMPTest/Place.pm, Client.pm and Server.pm:
#
#     port tls_port pki conninfo admin_conninfo seal_key tmp
#                           what the %%...%% above stand for; pki('a') and
#                           tmp('a') give the path of a file there
#     own_pki(KIND)         a folder as pki() is one, with keys of this kind;
#                           made once for a file
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
#     http2()               what makes HTTP/2 of a server: the end of its
#                           "listen", and a directive
#     default_http_config(NAME => TEXT...)
#                           text for http_config: a store, a profile
#                           "device", a CA "devices".  NAME is store, keys,
#                           profile, ca (lines added there), http (lines added
#                           outside), pki (a folder), key...; see below
#     default_config()      locations for it: /pkix/, /.well-known/cmp and
#                           /crl/devices.crl

use strict;
use warnings;

use CMPTest::Client;
use CMPTest::Place;
use CMPTest::Server;
use Test::More ();
use Text::ParseWords ();

our ($Port, $TlsPort, $Port2, $Port3, $Tmp, $Database, $Cluster, $Admin);
our ($Expand, %known_reports);

our @functions = qw(
    port tls_port pki own_pki conninfo admin_conninfo seal_key tmp newkey
    client execute sql cmpctl credential http raw wait_for error_log nginx_pid reload
    own_cluster cluster http2 default_http_config default_config
);

my @expanded = qw(
    main_config http_config config cmp cmp_out cmp_out_not sql sql_out
    wait_sql test request raw_request more_headers response_body
    response_headers error_log user_files
);


sub import {
    my $caller = caller;

    setup();

    $Expand = {
        PORT => sub { $Port }, TLS_PORT => sub { $TlsPort },
        PORT2 => sub { $Port2 }, PORT3 => sub { $Port3 },
        CONNINFO => \&conninfo, ADMIN => \&admin_conninfo,
        PKI => \&pki, SEAL_KEY => \&seal_key, TMP => \&tmp,
    };

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


1;
