/**
 * The unit files an OS image carries in /usr/lib/systemd/system, in our words: the CoreOS set that
 * cloud-configs refer to. Their ExecStart names the daemons this simulator models.
 */
export const VENDOR_UNITS: Readonly<Record<string, string>> = {
  "multi-user.target": `[Unit]
Description=Multi-User System
Requires=basic.target
After=basic.target
Wants=user-cloudinit.service update-engine.service locksmithd.service
`,
  "basic.target": `[Unit]
Description=Basic System
Wants=network-online.target
`,
  "network-online.target": `[Unit]
Description=Network is Online
`,
  "shutdown.target": `[Unit]
Description=Shutdown
DefaultDependencies=no
`,
  "user-cloudinit.service": `[Unit]
Description=Load cloud-config from user-data
Requires=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/coreos-cloudinit --from-file=/var/lib/coreos-install/user_data

[Install]
WantedBy=multi-user.target
`,
  "update-engine.service": `[Unit]
Description=Update Engine
After=network-online.target

[Service]
Type=simple
Restart=always
RestartSec=30
ExecStart=/usr/sbin/update_engine -foreground -logtostderr

[Install]
WantedBy=multi-user.target
`,
  "locksmithd.service": `[Unit]
Description=Cluster reboot manager
After=update-engine.service
Requires=update-engine.service

[Service]
Type=simple
Restart=always
RestartSec=10
EnvironmentFile=-/usr/share/coreos/update.conf
EnvironmentFile=-/etc/coreos/update.conf
ExecStart=/usr/lib/locksmith/locksmithd

[Install]
WantedBy=multi-user.target
`,
  "etcd2.service": `[Unit]
Description=etcd2

[Service]
Type=notify
Restart=always
RestartSec=10
TimeoutStartSec=0
ExecStart=/usr/bin/etcd2
`,
  "fleet.service": `[Unit]
Description=fleet daemon
After=etcd2.service

[Service]
Type=simple
Restart=always
RestartSec=10
ExecStart=/usr/bin/fleetd
`,
};
