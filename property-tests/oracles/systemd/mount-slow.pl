#!/usr/bin/perl
# mount(8) runs it for the type slow: after run=MS it mounts a tmpfs, or ends with exit=CODE; a remount changes nothing.
use strict;

my (undef, $where) = @ARGV;
my %do;
for my $at (0 .. $#ARGV - 1) {
    next unless $ARGV[$at] eq '-o';
    %do = map { /^(\w+)=(.*)$/ ? ($1, $2) : ($_, 1) } split /,/, $ARGV[$at + 1];
}
select(undef, undef, undef, ($do{run} // 0) / 1000);
exit $do{exit} if $do{exit};
exit 0 if $do{remount};
exec '/usr/bin/mount', '-i', '-n', '-t', 'tmpfs', 'none', $where;
