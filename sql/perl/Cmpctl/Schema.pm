package Cmpctl::Schema;

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl init, migrate: roles and schema.

use strict;
use warnings;

use Cmpctl::Common;
use Cmpctl::Database;
use Exporter qw(import);

our @EXPORT = qw(init migrate);




sub migrations {
    my $dir = program_dir();
    my $path = $ENV{CMPCTL_SQL};
    my %files;

    if (!defined $path) {
        ($path) = grep { -f "$_/000_roles.sql" }
            $dir, "$dir/../share/ngx_http_cmp_module/sql",
            '/usr/share/ngx_http_cmp_module/sql';
    }

    fail('the SQL files are not found, set CMPCTL_SQL to their folder')
        if !defined $path || !-f "$path/000_roles.sql";

    for my $file (sort glob("\Q$path\E/[0-9][0-9][0-9]*.sql")) {
        my ($version) = $file =~ m{/(\d{3})[^/]*$};

        open my $fh, '<', $file or fail("$file: $!");
        push @{$files{$version + 0}}, do { local $/; <$fh> };
    }

    return \%files;
}


sub init {
    arguments(0);

    my $files = migrations();

    psql("SET client_min_messages = warning;\n" . join("\n", @{$files->{0}}));
    my $status = migrate();

    if (defined $opt{'server-user'}) {
        my $user = value($opt{'server-user'}, 'text');

        psql(<<"END");
SELECT format('CREATE ROLE %I LOGIN', $user)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $user) \\gexec
SELECT format('GRANT cmp_server TO %I', $user)
WHERE $user <> 'cmp_server' \\gexec
END
    }

    return $status;
}


# Every version in a transaction of its own; what waits too long for a lock is
# tried again.  A file that begins with "-- no transaction" is run without one
# and has to bear being run twice.

sub migrate {
    arguments(0);

    my $files = migrations();
    my $have = psql(<<'END', ['-At']);
SELECT to_regclass('cmp.schema_version') IS NOT NULL AS there \gset
\if :there
SELECT cmp.schema_version();
\else
SELECT 0;
\endif
END

    chomp $have;

    my @versions = sort { $a <=> $b } keys %$files;

    fail("the schema has version $have, this cmpctl knows $versions[-1]")
        if $have > $versions[-1];

    for my $version (grep { $_ > $have } @versions) {
        migrate_to($version, $files->{$version});
        print "schema version $version\n";
    }

    print "the schema is up to date\n" if $have == $versions[-1];

    return 0;
}


sub migrate_to {
    my ($version, $files) = @_;
    my $plain = $files->[0] =~ /^-- no transaction/;
    my $missing = $version == 1
        ? q(to_regclass('cmp.schema_version') IS NULL)
        : "NOT EXISTS (SELECT FROM cmp.schema_version"
          . " WHERE version = $version)";
    my $sql = join("\n",
        'SET client_min_messages = warning;',
        $plain ? () : 'BEGIN;',
        'SET ROLE cmp_owner;',
        'SET search_path = pg_catalog;',
        q(SET lock_timeout = '2s';),
        q(SELECT pg_advisory_lock(hashtext('cmp.schema_version'))),
        '\g /dev/null',
        "SELECT $missing AS missing \\gset",
        '\if :missing',
        @$files,
        "INSERT INTO cmp.schema_version (version) VALUES ($version);",
        '\endif',
        $plain ? () : 'COMMIT;');

    for (1 .. 10) {
        return if defined psql($sql, [], qr/lock timeout/);
        sleep 1;
    }

    fail("version $version could not be reached: no lock in 10 attempts");
}


1;
