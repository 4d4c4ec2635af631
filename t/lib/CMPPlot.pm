package CMPPlot;

# Copyright (C) ngx_http_cmp_module contributors
#
# Two kinds of plots as SVG, from figures alone:
#
#     bars(title => ..., bars => [ { name => ..., parts => [ [ what, value ],
#                                                            ... ] }, ... ])
#         horizontal bars, each made of parts; parts of one name have one
#         colour
#
#     lines(title => ..., x => ..., y => ..., lines => [ { name => ...,
#           points => [ [ x, y ], ... ] }, ... ])
#         both axes logarithmic

use strict;
use warnings;

use POSIX qw(ceil floor);

my @COLOURS = ('#4e79a7', '#f28e2b', '#59a14f', '#b07aa1', '#e15759',
    '#76b7b2');
my $WIDTH = 760;
my $LEFT = 210;         # of the names
my $RIGHT = 70;         # of the last figure
my $TOP = 64;
my $BAR = 18;
my $STEP = 24;


sub bars {
    my %with = @_;
    my @bars = @{$with{bars}};
    my $max = 0;
    my (%colour, @names);

    for my $bar (@bars) {
        my $sum = 0;

        for my $part (@{$bar->{parts}}) {
            $sum += $part->[1];
            next if $colour{$part->[0]};
            $colour{$part->[0]} = $COLOURS[keys(%colour) % @COLOURS];
            push @names, $part->[0];
        }

        $max = $sum if $sum > $max;
    }

    my $scale = ($WIDTH - $LEFT - $RIGHT) / ($max || 1);
    my $height = $TOP + @bars * $STEP + 16;
    my $svg = begin($height, $with{title}) . legend(\@names, \%colour);
    my $y = $TOP;

    for my $bar (@bars) {
        my ($x, $sum) = ($LEFT, 0);

        $svg .= text($LEFT - 8, $y + 13, $bar->{name}, 'end');

        for my $part (@{$bar->{parts}}) {
            my $width = $part->[1] * $scale;

            $svg .= sprintf '<rect x="%.1f" y="%d" width="%.1f" height="%d"'
                . ' fill="%s"/>' . "\n", $x, $y, $width, $BAR,
                $colour{$part->[0]};
            $x += $width;
            $sum += $part->[1];
        }

        $svg .= text($x + 6, $y + 13, figure($sum), 'start');
        $y += $STEP;
    }

    return "$svg</svg>\n";
}


sub lines {
    my %with = @_;
    my ($width, $height) = ($WIDTH - 150, 260);
    my @points = map { @{$_->{points}} } @{$with{lines}};
    my ($x0, $x1) = decades(map { $_->[0] } @points);
    my ($y0, $y1) = decades(map { $_->[1] } @points);
    my $left = 80;
    my $bottom = $TOP + $height;
    my $at = sub {
        my ($x, $y) = @_;

        return ($left + $width * (log10($x) - $x0) / ($x1 - $x0),
                $bottom - $height * (log10($y) - $y0) / ($y1 - $y0));
    };

    my $n = 0;
    my @names = map { $_->{name} } @{$with{lines}};
    my %colour = map { $_ => $COLOURS[$n++] } @names;
    my $svg = begin($bottom + 52, $with{title}) . legend(\@names, \%colour);

    for my $decade ($x0 .. $x1) {
        my ($x) = $at->(10 ** $decade, 10 ** $y0);

        $svg .= grid($x, $TOP, $x, $bottom)
            . text($x, $bottom + 18, figure(10 ** $decade), 'middle');
    }

    for my $decade ($y0 .. $y1) {
        my (undef, $y) = $at->(10 ** $x0, 10 ** $decade);

        $svg .= grid($left, $y, $left + $width, $y)
            . text($left - 8, $y + 4, figure(10 ** $decade), 'end');
    }

    $svg .= text($left + $width / 2, $bottom + 40, $with{x}, 'middle')
        . text($left - 8, $TOP - 8, $with{y}, 'end');

    for my $line (@{$with{lines}}) {
        my $colour = $colour{$line->{name}};
        my @at = map { [ $at->(@$_) ] } @{$line->{points}};

        $svg .= sprintf '<polyline points="%s" fill="none" stroke="%s"'
            . ' stroke-width="2"/>' . "\n",
            join(' ', map { sprintf '%.1f,%.1f', @$_ } @at), $colour;
        $svg .= sprintf '<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>'
            . "\n", @$_, $colour for @at;
    }

    return "$svg</svg>\n";
}


sub begin {
    my ($height, $title) = @_;

    return qq(<svg xmlns="http://www.w3.org/2000/svg" width="$WIDTH")
        . qq( height="$height" viewBox="0 0 $WIDTH $height")
        . qq( font-family="sans-serif" font-size="12">\n)
        . qq(<rect width="$WIDTH" height="$height" fill="#ffffff"/>\n)
        . qq(<text x="12" y="22" font-size="15" fill="#222222">)
        . escape($title) . "</text>\n";
}


sub legend {
    my ($names, $colour) = @_;
    my ($x, $svg) = (12, '');

    for my $name (@$names) {
        $svg .= sprintf '<rect x="%d" y="34" width="11" height="11"'
            . ' fill="%s"/>' . "\n", $x, $colour->{$name};
        $svg .= text($x + 16, 44, $name, 'start');
        $x += 34 + 6.6 * length $name;
    }

    return $svg;
}


sub text {
    my ($x, $y, $text, $anchor) = @_;

    return sprintf '<text x="%.1f" y="%.1f" text-anchor="%s" fill="#222222">'
        . "%s</text>\n", $x, $y, $anchor, escape($text);
}


sub grid {
    return sprintf '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"'
        . ' stroke="#dddddd"/>' . "\n", @_;
}


sub escape {
    my ($text) = @_;

    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;

    return $text;
}


sub figure {
    my ($value) = @_;

    return $value >= 100 ? sprintf '%.0f', $value
        : $value >= 10 ? sprintf '%.1f', $value =~ s/\.0+$//r
        : sprintf('%.3g', $value);
}


sub log10 {
    return log($_[0] > 0 ? $_[0] : 1e-9) / log 10;
}


# of ten, that hold all of these

sub decades {
    my @sorted = sort { $a <=> $b } @_;
    my ($from, $to) = (floor(log10($sorted[0]) + 1e-9),
                       ceil(log10($sorted[-1]) - 1e-9));

    return ($from, $to > $from ? $to : $from + 1);
}


1;
