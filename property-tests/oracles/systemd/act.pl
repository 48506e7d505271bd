#!/usr/bin/perl
# A program that does what its arguments say; behaviour.ts tells what they mean.
use strict;
use Socket;

my %do = map { /^(\w+)=(.*)$/ ? ($1, $2) : ($_, 1) } @ARGV;
sub pause { select(undef, undef, undef, $_[0] / 1000) if $_[0] > 0 }

if (defined $do{child} && !fork) {
    $SIG{$_} = 'IGNORE' for $do{deaf} ? qw(TERM INT HUP ABRT) : ();
    pause($do{child});
    exit 0;
}
if (defined $do{fork} && fork) {
    pause($do{fork});
    exit($do{forkexit} // 0);
}
if (defined $do{term}) {
    my ($takes, $code) = split /:/, $do{term};
    for my $signal (qw(TERM INT HUP ABRT)) {
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
# What it does at which time, the first first.
my @plan;
push @plan, [$do{ready}, sub { say_to_systemd('READY=1') }] if defined $do{ready};
for (split /,/, $do{say} // '') {
    my ($at, $tag) = /^(\d+):(.*)$/;
    push @plan, [$at, sub { say_to_systemd($tag) }];
}
if (defined $do{ping}) {
    my ($every, $times) = split /:/, $do{ping};
    push @plan, [$_ * $every, sub { say_to_systemd('WATCHDOG=1') }] for 1 .. $times;
}
if (defined $do{pidfile}) {
    my ($at, $path) = $do{pidfile} =~ /^(\d+):(.*)$/;
    push @plan, [$at, sub { if (open my $file, '>', $path) { print $file "$$\n"; close $file } }];
}
my $now = 0;
for (sort { $a->[0] <=> $b->[0] } @plan) {
    my ($at, $act) = @$_;
    # What comes after its end does not come.
    next if defined $do{run} && $at > $do{run} && $at != ($do{ready} // -1);
    pause($at - $now);
    $now = $at;
    $act->();
}
if (!defined $do{run}) { pause(1000_000) while 1 }
pause($do{run} - $now);
if (defined $do{die}) {
    $SIG{$do{die}} = 'DEFAULT';
    kill $do{die}, $$;
    pause(1000);
}
exit($do{exit} // 0);

sub say_to_systemd {
    return unless $ENV{NOTIFY_SOCKET};
    socket my $bus, PF_UNIX, SOCK_DGRAM, 0;
    send $bus, $_[0], 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET});
}
