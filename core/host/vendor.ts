/**
 * The unit files an OS image carries in /usr/lib/systemd/system, in our words: the CoreOS set that
 * cloud-configs refer to. Their ExecStart names the daemons this simulator models.
 */
const VENDOR_UNITS: Readonly<Record<string, string>> = {
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

/** The unit that applies the OEM's config, which lies at /usr/share/oem/cloud-config.yml. */
export const OEM_CLOUDINIT = "system-cloudinit@usr-share-oem-cloud\\x2dconfig.yml.service";

/**
 * On images for one provider: the config of the OEM comes first and the user's after it, whether
 * the first failed or not, so that the user has the last word (coreos-cloudinit 1.14, units/).
 */
const OEM_UNITS: Readonly<Record<string, string>> = {
  "system-config.target": `[Unit]
Description=Load system-provided cloud configs
Requires=${OEM_CLOUDINIT}
After=${OEM_CLOUDINIT}
`,
  [OEM_CLOUDINIT]: `[Unit]
Description=Load cloud-config from /usr/share/oem/cloud-config.yml
Before=system-config.target

[Service]
Type=oneshot
TimeoutSec=10min
RemainAfterExit=yes
ExecStart=/usr/bin/coreos-cloudinit --from-file=/usr/share/oem/cloud-config.yml
`,
  "user-cloudinit.service.d/10-oem.conf": `[Unit]
Wants=system-config.target
After=system-config.target
`,
};

/** The files of /usr/lib/systemd/system on a host, with those of an image for one provider. */
export function vendorUnits(oem: boolean): { readonly name: string; readonly text: string }[] {
  const units = { ...VENDOR_UNITS, ...(oem ? OEM_UNITS : {}) };
  return Object.entries(units).map(([name, text]) => ({ name, text }));
}
