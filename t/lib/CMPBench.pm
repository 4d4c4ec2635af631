package CMPBench;

# Copyright (C) ngx_http_cmp_module contributors
#
# What the scripts in t/bench share: a durable cluster, a PKI, an nginx with
# the module, the load generator, and what CPU time all of these use.
#
#     my $bench = CMPBench->new('name');      # below build-release/bench
#                                             # keep => 1: as it was left there
#     $bench->database();                     # a cluster, `cmpctl init`
#     $bench->credential($ca, $reference, $secret);
#     $bench->nginx(http => ..., server => ..., main => ..., workers => 2);
#     my $result = $bench->load('ir', ...);   # cmpload's JSON, with CPU
#     $bench->stop_nginx();
#     $bench->save('enrol', { ... });         # build-release/bench/enrol.json
#
# nginx() with plain => 1: without the module.
#
# Environment: BUILD (release), OUT (build-BUILD), NGINX_BIN (nginx).

use strict;
use warnings;

use Cwd ();
use File::Path ();
use FindBin ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Scalar::Util ();
use Time::HiRes qw(sleep time);

my @running;


sub new {
    my ($class, $name, %with) = @_;

    chdir "$FindBin::Bin/../.." or die "$name: $!\n";
    $ENV{PATH} .= ':/usr/sbin:/usr/local/sbin';
    $ENV{no_proxy} = $ENV{NO_PROXY} = '127.0.0.1,localhost';

    my $out = $ENV{OUT} || 'build-' . ($ENV{BUILD} || 'release');

    $out = Cwd::getcwd() . "/$out" if $out !~ m{^/};

    my $self = bless {
        name => $name, out => $out, results => "$out/bench",
        keep => $with{keep},
        dir => "$out/bench/$name",
        module => "$out/nginx/objs/ngx_http_cmp_module.so",
        cmpload => "$out/t/bench/cmpload",
    }, $class;

    die "$name: make build bench-build\n"
        if !-f $self->{module} || !-x $self->{cmpload};

    system('t/lib/pgcluster', 'stop', "$self->{dir}/pg", 'immediate')
        if -d "$self->{dir}/pg";
    File::Path::remove_tree($self->{dir}) if !$self->{keep};
    File::Path::make_path("$self->{dir}/nginx");

    $ENV{CMPCTL_SEAL} = "$out/cmpctl-seal";
    $SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
    push @running, $self;

    return $self;
}


sub fail {
    my ($self, @text) = @_;

    die "$self->{name}: @text\n";
}


sub output {
    my ($self, $command) = @_;
    my $text = qx($command);

    $self->fail("$command: $text") if $? != 0;

    return $text;
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar(<$fh>) // '';
}


sub spew {
    my ($self, $file, $text) = @_;

    open my $fh, '>', $file or $self->fail("$file: $!");
    print $fh $text;
    close $fh or $self->fail("$file: $!");
}


sub save {
    my ($self, $name, $result) = @_;

    $self->spew("$self->{results}/$name.json",
                JSON::PP->new->canonical->pretty->encode($result));
}


# --- database

sub pki {
    my ($self, $name, $key) = @_;
    my $dir = "$self->{dir}/$name";

    $self->output("t/lib/mkpki $dir " . ($key // 'P-256') . ' 2>&1')
        if !-d $dir;

    # one key seals the secrets of all CAs

    $self->{seal} //= "$dir/seal.key";

    return $dir;
}


# a folder with N devices of the manufacturer, for cmpload --certs

sub devices {
    my ($self, $pki, $n, $name) = @_;
    my $dir = "$self->{dir}/" . ($name // 'devices');

    $self->output("$self->{out}/t/bench/device_certs $pki/vendor-root $n $dir"
        . ' 2>&1') if !-d $dir;

    return $dir;
}


sub database {
    my ($self) = @_;

    ($self->{admin}) = $self->output("t/lib/pgcluster start $self->{dir}/pg")
        =~ /^(host=.*)$/m;
    ($self->{host}) = $self->{admin} =~ /^host=(\S+)/;
    $self->output("sql/cmpctl --dsn '$self->{admin}' init 2>&1")
        if !$self->{keep};
}


# another one in the same cluster

sub create_database {
    my ($self, $name) = @_;

    $self->sql("CREATE DATABASE $name");
    $self->output('sql/cmpctl --dsn \'' . $self->dsn($name) . "' init 2>&1");
}


# of the superuser

sub dsn {
    my ($self, $database) = @_;

    return $self->{admin} if !defined $database;

    return $self->{admin} =~ s/dbname=\S+/dbname=$database/r;
}


sub credential {
    my ($self, $ca, $reference, $secret, $database) = @_;

    $self->output("echo '$secret' | sql/cmpctl --dsn '"
        . $self->dsn($database) . "'"
        . " --key-file $self->{seal} credential add --ca $ca"
        . " --reference $reference --secret-stdin 2>&1");
}


sub sql {
    my ($self, $sql, $database) = @_;
    my $text = $self->output("psql -XAtq -v ON_ERROR_STOP=1"
        . " -d '" . $self->dsn($database) . "' -c \"$sql\" 2>&1");

    chomp $text;

    return $text;
}


# --- nginx

sub port {
    my ($self) = @_;
    my $sock = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
        LocalPort => 0, ReuseAddr => 1) or $self->fail("no port: $!");

    return $sock->sockport();
}


# is it allowed, and is there a chrt?

sub real_time {
    return system('chrt --rr 1 true >/dev/null 2>&1') == 0;
}


sub nginx {
    my ($self, %with) = @_;
    my $n = "$self->{dir}/nginx";
    my $user = $> == 0 ? 'user root;' : '';
    my $workers = $with{workers} // 2;

    $self->stop_nginx();
    $self->{port} = $self->port();
    unlink "$n/nginx.pid";

    my $load = $with{plain} ? '' : "load_module $self->{module};";

    $self->spew("$n/nginx.conf", <<"_EOC_");
$load
$user
worker_processes $workers;
pid $n/nginx.pid;
error_log $n/error.log;
@{[ $with{main} // '' ]}
events { worker_connections @{[ $with{connections} // 1024 ]}; }
http {
    access_log             off;
    client_body_temp_path  $n/client_body_temp;
    proxy_temp_path        $n/proxy_temp;
    fastcgi_temp_path      $n/fastcgi_temp;
    uwsgi_temp_path        $n/uwsgi_temp;
    scgi_temp_path         $n/scgi_temp;
    sendfile               on;
    tcp_nopush             on;
    client_body_buffer_size 64k;
    keepalive_requests     100000000;
@{[ $with{http} // '' ]}
    server {
        listen 127.0.0.1:$self->{port};
@{[ $with{server} // '' ]}
    }
}
_EOC_

    my $first = $with{real_time} ? 'chrt --rr 1 ' : '';

    $self->output($first . ($ENV{NGINX_BIN} || 'nginx')
        . " -e $n/error.log -p $n/ -c $n/nginx.conf 2>&1");

    for (1 .. 100) {
        ($self->{master}) = slurp("$n/nginx.pid") =~ /^(\d+)/;
        last if defined $self->{master} && $self->workers() == $workers;
        sleep 0.1;
    }

    $self->fail('nginx does not start') if $self->workers() != $workers;

    # the workers' connections to the database

    sleep 0.5;
}


sub store {
    my ($self, $database, @parameters) = @_;

    $database //= 'cmp';

    return qq(cmp_store "host=$self->{host} port=5432 dbname=$database)
        . qq( user=cmp_server" key=$self->{seal} @parameters;\n);
}


sub ca {
    my ($self, $name, $pki, $more) = @_;

    return <<"_EOC_";
cmp_ca $name {
    certificate               $pki/ca-chain.pem;
    certificate_key           $pki/ca.key;
    response_certificate      $pki/response.pem;
    response_certificate_key  $pki/response.key;
    profile                   device;
@{[ $more // '' ]}
}
_EOC_
}


sub profile {
    return <<'_EOC_';
cmp_profile device {
    validity       90d;
    key            ec:P-256 ec:P-384 ed25519 rsa:2048-4096;
    key_usage      digitalSignature keyAgreement;
    ext_key_usage  clientAuth;
}
_EOC_
}


sub workers {
    my ($self) = @_;

    return grep { slurp("/proc/$_/cmdline") =~ /^nginx: worker process/ }
        children($self->{master});
}


sub stop_nginx {
    my ($self) = @_;
    my $pid = delete $self->{master};

    return if !defined $pid;

    kill 'TERM', $pid;

    for (1 .. 100) {
        return if !kill 0, $pid;
        sleep 0.1;
    }

    kill 'KILL', $pid;
}


# what is in the error log and should not be

sub check_log {
    my ($self) = @_;
    my @lines = grep { /\[(?:error|crit|alert|emerg)\]/ }
        split /\n/, slurp("$self->{dir}/nginx/error.log");

    $self->fail("in the error log:\n$lines[0]") if @lines;
}


# --- CPU time

sub children {
    my ($pid) = @_;

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}


# in seconds, of a process, its children and those that have ended

sub cpu_of {
    my ($parent) = @_;
    my $sum = 0;

    for my $pid ($parent, children($parent)) {
        my ($rest) = slurp("/proc/$pid/stat") =~ /.*\) (.*)/;
        my @fields = split ' ', $rest // '';

        $sum += $_ // 0 for @fields[11 .. ($pid == $parent ? 14 : 12)];
    }

    return $sum / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}


# the same to the nanosecond, of processes that do not end meanwhile

sub running {
    my ($parent) = @_;
    my $sum = 0;

    for my $file (map { glob "/proc/$_/task/*/schedstat" }
                  $parent, children($parent))
    {
        my ($ns) = slurp($file) =~ /^(\d+)/ or return cpu_of($parent);

        $sum += $ns;
    }

    return $sum / 1e9;
}


sub cpu {
    my ($self) = @_;
    my ($postgres) = slurp("$self->{dir}/pg/data/postmaster.pid") =~ /^(\d+)/;

    return {
        nginx => defined $self->{master} ? running($self->{master}) : 0,
        postgres => defined $postgres ? cpu_of($postgres) : 0,
    };
}


# seconds that all processors were busy and idle; what a host took away from
# this machine counts as busy

sub processors {
    my ($all) = slurp('/proc/stat') =~ /^cpu\s+(.*)$/m;
    my ($user, $nice, $system, $idle, $wait, @more) = split ' ', $all;
    my $ticks = POSIX::sysconf(&POSIX::_SC_CLK_TCK);
    my $busy = $user + $nice + $system;

    $busy += $_ // 0 for @more[0 .. 2];

    return ($busy / $ticks, ($idle + $wait) / $ticks);
}


# Runs CODE; the CPU seconds that nginx, PostgreSQL and the ended children of
# this process used meanwhile, and the time it took.  others, idle: how many
# processors were busy with something else, and with nothing.

sub measure {
    my ($self, $code) = @_;
    my ($before, $begin) = ($self->cpu(), time());
    my @own = times();
    my ($busy, $idle) = processors();

    $code->();

    my @now = times();
    my $after = $self->cpu();
    my ($busy_then, $idle_then) = processors();
    my %used = (nginx => $after->{nginx} - $before->{nginx},
        postgres => $after->{postgres} - $before->{postgres},
        children => $now[2] + $now[3] - $own[2] - $own[3],
        seconds => time() - $begin);

    $used{others} = ($busy_then - $busy - $used{nginx} - $used{postgres}
        - $used{children}) / $used{seconds};
    $used{others} = 0 if $used{others} < 0;
    $used{idle} = ($idle_then - $idle) / $used{seconds};

    return \%used;
}


# --- load

# cmpload's JSON; cpu holds microseconds an operation of nginx, postgres and
# cmpload.  Between the end of the preparation and the first message nothing
# can be heard of cmpload: the preparation uses its CPU time alone.

sub load {
    my ($self, $operation, $url, @options) = @_;
    my $json;

    my $used = $self->measure(sub {
        my @command = ($self->{cmpload}, $operation, $url, '--json', @options);

        open my $fh, '-|', @command or $self->fail("cmpload: $!");
        local $/;
        $json = <$fh>;
        close $fh or $self->fail("cmpload: $json");
    });

    my $result = JSON::PP::decode_json($json);
    my $n = $result->{completed} || 1;

    $self->fail("cmpload: $json") if $result->{errors}{total} != 0;

    $result->{cpu} = {
        nginx => 1e6 * $used->{nginx} / $n,
        postgres => 1e6 * $used->{postgres} / $n,
        cmpload => 1e6 * $result->{client_cpu_seconds} / $n,
    };
    @$result{qw(others idle)} = @$used{qw(others idle)};

    return $result;
}


# requests of h2load over keep-alive connections, HTTP/1.1: how many a second,
# microseconds of nginx and of h2load for each

sub h2load {
    my ($self, $url, $n, $clients, @options) = @_;
    my $text;

    my $used = $self->measure(sub {
        my $command = "h2load --h1 -n $n -c $clients @options '$url' 2>&1";

        $text = $self->output($command);
    });

    my ($seconds, $unit, $rate) = $text
        =~ m{^finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s}m;
    my ($good) = $text =~ m{^status codes: (\d+) 2xx}m;
    my ($octets) = $text =~ m{\((\d+)\) data$}m;

    $self->fail("h2load: $text") if ($good // 0) != $n || !defined $octets;

    return { rate => 0 + $rate, octets => $octets / $n,
             seconds => $used->{seconds}, others => $used->{others}, idle => $used->{idle},
             cpu => { nginx => 1e6 * $used->{nginx} / $n,
                      postgres => 1e6 * $used->{postgres} / $n,
                      h2load => 1e6 * $used->{children} / $n } };
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return @sorted % 2 ? $sorted[@sorted / 2]
        : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}


# the median of each number in hashes of one form

sub medians {
    my @results = @_;
    my $first = $results[0];

    if (ref $first eq 'HASH') {
        return { map {
            my $key = $_;
            $key => medians(map { $_->{$key} } @results)
        } keys %$first };
    }

    return $first
        if ref $first || !Scalar::Util::looks_like_number($first // '');

    return median(@results);
}


# what the figures depend on

sub machine {
    my ($self) = @_;
    my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
    my $cores = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;
    my $nginx = $ENV{NGINX_BIN} || 'nginx';
    my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my %versions = (
        nginx => [ "$nginx -v 2>&1", qr{nginx/(\S+)} ],
        openssl => [ 'openssl version', qr{^OpenSSL (\S+)} ],
        postgresql => [ 'psql -V', qr{(\d+[\d.]*)} ],
        kernel => [ 'uname -r', qr{^(\S+)} ],
        system => [ '. /etc/os-release; echo "$PRETTY_NAME"', qr{^(.+)} ],
        commit => [ 'git rev-parse --short=12 HEAD 2>/dev/null', qr{(\S+)} ],
    );
    my %machine = (cpu => $cpu // 'unknown', cores => $cores,
        memory_mb => int(($memory // 0) / 1024),
        date => POSIX::strftime('%Y-%m-%d', gmtime()));

    for my $name (keys %versions) {
        my ($command, $pattern) = @{$versions{$name}};

        ($machine{$name}) = (qx($command) // '') =~ $pattern;
        $machine{$name} //= 'unknown';
    }

    # what is built from, not the page that the figures go to

    $machine{commit} .= ' and changes'
        if qx(git status --porcelain -- src sql t build config 2>/dev/null)
            =~ /^(?!\?\?)./m;

    return \%machine;
}


sub load_average {
    return 0 + (split ' ', slurp('/proc/loadavg'))[0];
}


END {
    my $status = $?;

    for my $self (@running) {
        $self->stop_nginx();
        system('t/lib/pgcluster', 'stop', "$self->{dir}/pg", 'immediate')
            if -d "$self->{dir}/pg";
    }

    $? = $status;
}


1;
