package CMPBulk;

# Copyright (C) ngx_http_cmp_module contributors
#
# A store as it is after millions of enrolments.  The rows are those that a
# real enrolment left, with serial numbers, keys, names and times of their own:
#
#     my $rows = CMPBulk::template($bench);       # of the database "cmp"
#     CMPBulk::load($bench, $rows, $database, $n);
#
# Certificates and audit were issued evenly over the last $QUARTERS quarters
# until now.  Of transactions there are those of the last two hours at most,
# whatever the number of certificates: $TRANSACTIONS.  All rows are frozen, as
# they are some time later; the indexes on random values are as full as such
# indexes are in the long run.
#
# Meant for a server that runs with load_settings().

use strict;
use warnings;

use Time::HiRes qw(time);

my $QUARTERS = 4;
my $TRANSACTIONS = 100_000;
my $FULL = 70;                  # %, pages of an index on random values

my @tables = qw(certificate key audit transaction);


# nothing of this is for a server that anybody needs

sub load_settings {
    return (fsync => 'off', full_page_writes => 'off', autovacuum => 'off',
        wal_level => 'minimal', max_wal_senders => 0, max_wal_size => '8GB',
        checkpoint_timeout => '1h', shared_buffers => '1GB',
        maintenance_work_mem => '1GB');
}


# One enrolment, the last: the rows of each table as COPY writes them.

sub template {
    my ($bench) = @_;
    my %rows;

    my $serial = $bench->sql("SELECT serial FROM cmp.certificate
        ORDER BY issued_at DESC LIMIT 1");
    my $tx = $bench->sql("SELECT transaction_id FROM cmp.certificate
        WHERE serial = '$serial'");

    my %which = (certificate => "serial = '$serial'",
        key => "serial = '$serial'", audit => "transaction_id = '$tx'",
        transaction => "id = '$tx'");

    for my $table (@tables) {
        $rows{$table} = $bench->sql("COPY (SELECT * FROM cmp.$table
            WHERE $which{$table}) TO STDOUT") . "\n";

        $bench->fail("no template of $table") if $rows{$table} !~ /\t/;
    }

    return \%rows;
}


sub load {
    my ($bench, $rows, $database, $n) = @_;
    my $begin = time();

    $bench->{bulk} = { database => $database,
        dir => "$bench->{dir}/$database" };

    for my $table (@tables) {
        my $file = "$bench->{dir}/$table.copy";

        $bench->spew($file, $rows->{$table});
        psql($bench, "CREATE TABLE IF NOT EXISTS public.$table"
            . " (LIKE cmp.$table)");
        $bench->output(command($bench, "COPY public.$table FROM STDIN")
            . " <$file 2>&1");
    }

    prepare($bench);
    quarters($bench, $n);
    keys_of($bench);
    transactions($bench, $n < $TRANSACTIONS ? $n : $TRANSACTIONS);

    psql($bench, "SELECT setval('cmp.audit_id', greatest(1, (SELECT max(id)"
        . ' FROM cmp.audit)))');
    psql($bench, 'ANALYZE');
    psql($bench, "DROP TABLE public.$_") for @tables, 'place';

    my $count = $bench->sql('SELECT count(*) FROM cmp.key', $database);

    $bench->fail("$count keys instead of $n") if $count != $n;

    return time() - $begin;
}


sub command {
    my ($bench, @sql) = @_;
    my $options = join ' ', map { "-c \"$_\"" } @sql;

    return "psql -XAtq -1 -v ON_ERROR_STOP=1 -d '"
        . $bench->dsn($bench->{bulk}{database}) . "' $options";
}


sub psql {
    my ($bench, @sql) = @_;

    return $bench->output(command($bench, @sql) . ' 2>&1');
}


# COPY ... FREEZE into a table that the same transaction made: no log, rows
# frozen from the beginning

sub copy {
    my ($bench, $table, $columns, $select, @before) = @_;

    local $ENV{PGOPTIONS} = '-c client_min_messages=error';

    my $from = command($bench, "COPY ($select) TO STDOUT (FORMAT binary)");
    my $to = command($bench, 'SET ROLE cmp_owner', @before,
        "COPY $table ($columns) FROM STDIN (FORMAT binary, FREEZE)");

    $bench->output("$from | $to 2>&1");
}


# where in the certificate is what differs from one to the next

sub prepare {
    my ($bench) = @_;

    psql($bench, 'CREATE TABLE public.place AS SELECT
        position(c.serial::bytea IN c.der) AS serial,
        position(\'\\x03420004\'::bytea IN c.der) + 4 AS point,
        octet_length(c.der) AS length FROM public.certificate c');

    my $good = $bench->sql('SELECT p.serial > 0 AND p.point > 4
        AND octet_length(c.serial) = 20 AND p.length = octet_length(c.der)
        FROM public.place p, public.certificate c', $bench->{bulk}{database});

    $bench->fail('not a certificate as expected') if $good ne 't';
}


# Rows $first to $last of all: h1 and h2 are as good as random.

sub numbers {
    my ($first, $last) = @_;

    return "(SELECT n, h1, sha256(h1) AS h2 FROM (SELECT n,
        sha256(int8send(n)) AS h1 FROM (SELECT
        generate_series($first, $last)::int8 AS n) a) b) r";
}


sub quarters {
    my ($bench, $n) = @_;
    my $database = $bench->{bulk}{database};
    my @starts = split /\n/, $bench->sql("SELECT date_trunc('quarter', now(),
        'UTC') - i * interval '3 months'
        FROM generate_series(0, $QUARTERS - 1) i ORDER BY i DESC", $database);
    my $audit = $bench->sql('SELECT count(*) FROM public.audit', $database);
    my $done = 0;

    for my $i (0 .. $#starts) {
        my $last = $i == $#starts ? $n : int($n * ($i + 1) / @starts);
        my $to = $i == $#starts ? 'now()' : "'$starts[$i + 1]'";

        quarter($bench, "'$starts[$i]'::timestamptz",
            "$to\::timestamptz - interval '1 second'", $done + 1, $last,
            $audit) if $last > $done;
        $done = $last;
    }
}


sub quarter {
    my ($bench, $from, $to, $first, $last, $audit) = @_;
    my $suffix = $bench->sql("SELECT to_char($from AT TIME ZONE 'UTC',
        'YYYY') || 'q' || to_char($from AT TIME ZONE 'UTC', 'Q')");
    my $numbers = numbers($first, $last);
    my $at = "$from + ($to - $from) * ((r.n - $first)::float8"
        . " / ($last - $first + 1))";
    my $serial = "(cmp.serial_bound(s.at) || substr(r.h1, 1, 14))";

    copy($bench, "cmp.certificate_$suffix", 'version, state, used, replaced,
        retired, partition, ca_id, cert_req_id, credential_id, issued_at,
        not_before, not_after, serial, transaction_id, key_hash,
        subject_hash, profile, subject, der, predecessor, key_previous,
        successor',
        "SELECT t.version, t.state, t.used, t.replaced, t.retired,
            t.partition, ca.id, t.cert_req_id, d.id, s.at,
            s.at - interval '1 minute', s.at + interval '90 days',
            ${serial}::cmp.serial, substr(r.h1, 15, 16), r.h2::cmp.sha256,
            (substr(r.h1, 17, 16) || substr(r.h2, 1, 16))::cmp.sha256,
            t.profile, t.subject,
            substr(t.der, 1, p.serial - 1) || $serial
            || substr(t.der, p.serial + 20, p.point - p.serial - 20)
            || r.h1 || r.h2
            || substr(t.der, p.point + 64, p.length - p.point - 95) || r.h2,
            t.predecessor, t.key_previous, t.successor
         FROM public.certificate t, public.place p, cmp.ca, cmp.credential d,
            $numbers, LATERAL (SELECT $at AS at OFFSET 0) s
         WHERE ca.name = 'devices' AND d.reference = 'load'",
        "DROP TABLE IF EXISTS cmp.certificate_$suffix",
        "SELECT cmp.create_partitions($from)");

    copy($bench, "cmp.audit_$suffix", 'at, id, ca_id, status, fail_info,
        action, requester, client, transaction_id, serial, text',
        "SELECT s.at + t.i * interval '3 ms', r.n * $audit + t.i, ca.id,
            t.status, t.fail_info, t.action, t.requester, t.client,
            substr(r.h1, 15, 16), $serial, t.text
         FROM cmp.ca, $numbers, LATERAL (SELECT $at AS at OFFSET 0) s,
            (SELECT row_number() OVER (ORDER BY id) AS i, *
             FROM public.audit OFFSET 0) t
         WHERE ca.name = 'devices'",
        "DROP TABLE IF EXISTS cmp.audit_$suffix",
        "SELECT cmp.create_partitions($from)");
}


sub keys_of {
    my ($bench) = @_;

    copy($bench, 'cmp.key', 'version, ca_id, confirmed, compromised,
        key_id, subject_hash, serial',
        "SELECT t.version, c.ca_id, t.confirmed, t.compromised,
            substr(c.key_hash, 1, 16)::cmp.key_id, c.subject_hash,
            c.serial::bytea
         FROM public.key t, cmp.certificate c",
        'ALTER TABLE cmp.key DROP CONSTRAINT key_pkey',
        'TRUNCATE cmp.key');

    psql($bench, 'SET ROLE cmp_owner', "ALTER TABLE cmp.key ADD PRIMARY KEY
        (ca_id, key_id) WITH (fillfactor = $FULL)",
        'ALTER INDEX cmp.key_pkey RESET (fillfactor)');
}


# nothing of these is due while anybody measures

sub transactions {
    my ($bench, $n) = @_;

    copy($bench, 'cmp.transaction', 'wake_at, confirm_before, wait_until,
        forget_at, version, ca_id, state, body, kind, credential_id, id,
        signer_hash, signer_serial, signer, protection_alg, sender_nonce,
        nonces, request_hashes, reply_slots, serials',
        "SELECT now() + interval '2 hours', NULL::timestamptz,
            NULL::timestamptz, now() + interval '2 hours', t.version, ca.id,
            t.state, t.body, t.kind, d.id,
            substr(r.h1, 15, 16)::cmp.transaction_id, t.signer_hash,
            t.signer_serial, t.signer, t.protection_alg, t.sender_nonce,
            t.nonces, t.request_hashes, t.reply_slots, t.serials
         FROM public.transaction t, cmp.ca, cmp.credential d, "
        . numbers(1, $n)
        . " WHERE ca.name = 'devices' AND d.reference = 'load'",
        'TRUNCATE cmp.transaction');
}


1;
