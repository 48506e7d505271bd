#!/usr/bin/perl
# A program that does what its arguments say; behaviour.ts tells what they mean.
use strict;
use Socket;

my %do = map { /^(\w+)=(.*)$/ ? ($1, $2) : ($_, 1) } @ARGV;
sub pause { select(undef, undef, undef, $_[0] / 1000) if $_[0] > 0 }

if (defined $do{child} && !fork) {
    $SIG{TERM} = 'IGNORE' if $do{deaf};
    pause($do{child});
    exit 0;
}
if (defined $do{fork} && fork) {
    pause($do{fork});
    exit($do{forkexit} // 0);
}
if (defined $do{term}) {
    my ($takes, $code) = split /:/, $do{term};
    for my $signal (qw(TERM INT HUP)) {
        $SIG{$signal} = $takes eq 'never' ? 'IGNORE' : sub { pause($takes); exit $code };
    }
}
if ($do{drain} && $ENV{LISTEN_FDS}) {
    my ($socket, $bits) = (undef, '');
    vec($bits, 3, 1) = 1;
    # Only what is there: systemd passes sockets on that wait for more.
    if (select($bits, undef, undef, 0) > 0 && open $socket, '<&=', 3) {
        sysread $socket, my $text, 4096;
    }
}
if (defined $do{touch} && open my $file, '>', $do{touch}) { close $file }
unlink $do{rm} if defined $do{rm};
my $now = 0;
if (defined $do{ready}) {
    pause($do{ready});
    $now = $do{ready};
    if ($ENV{NOTIFY_SOCKET}) {
        socket my $bus, PF_UNIX, SOCK_DGRAM, 0;
        send $bus, 'READY=1', 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET});
    }
}
if (!defined $do{run}) { pause(1000_000) while 1 }
pause($do{run} - $now);
if (defined $do{die}) {
    $SIG{$do{die}} = 'DEFAULT';
    kill $do{die}, $$;
    pause(1000);
}
exit($do{exit} // 0);
