/**
 * The standard targets (units/*.target of systemd 252, in short): what an image has of every name
 * that it does not bring itself, so that default dependencies have something to hold on to.
 */
export const BASE_UNITS: Readonly<Record<string, string>> = {
  "sysinit.target": "[Unit]\nDescription=System Initialization\nDefaultDependencies=no\n",
  "basic.target":
    "[Unit]\nDescription=Basic System\nRequires=sysinit.target\nAfter=sysinit.target\nWants=sockets.target timers.target paths.target slices.target\nAfter=sockets.target paths.target slices.target\n",
  "sockets.target": "[Unit]\nDescription=Sockets\n",
  "timers.target":
    "[Unit]\nDescription=Timers\nDefaultDependencies=no\nConflicts=shutdown.target\n",
  "paths.target": "[Unit]\nDescription=Paths\nDefaultDependencies=no\nConflicts=shutdown.target\n",
  "slices.target": "[Unit]\nDescription=Slices\nDefaultDependencies=no\n",
  "local-fs.target": "[Unit]\nDescription=Local File Systems\nDefaultDependencies=no\n",
  "network-pre.target": "[Unit]\nDescription=Preparation for Network\n",
  "network.target": "[Unit]\nDescription=Network\nAfter=network-pre.target\n",
  "network-online.target": "[Unit]\nDescription=Network is Online\nAfter=network.target\n",
  "multi-user.target":
    "[Unit]\nDescription=Multi-User System\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n",
  "rescue.target":
    "[Unit]\nDescription=Rescue Mode\nRequires=sysinit.target\nAfter=sysinit.target\nAllowIsolate=yes\n",
  "umount.target":
    "[Unit]\nDescription=Unmount All Filesystems\nDefaultDependencies=no\nRefuseManualStart=yes\n",
  "shutdown.target":
    "[Unit]\nDescription=System Shutdown\nDefaultDependencies=no\nRefuseManualStart=yes\n",
};
