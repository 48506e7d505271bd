/**
 * What an image with docker, rkt and flannel carries besides, in our words (coreos-overlay's docker and
 * flannel packages): the daemon is started by its socket, and comes after flannel where both start.
 */
export const CONTAINER_UNITS: readonly { readonly name: string; readonly text: string }[] = [
  {
    name: "docker.socket",
    text: `[Unit]
Description=Docker Socket for the API

[Socket]
ListenStream=/var/run/docker.sock

[Install]
WantedBy=multi-user.target
`,
  },
  {
    name: "docker.service",
    text: `[Unit]
Description=Docker Application Container Engine
After=docker.socket flanneld.service network-online.target
Requires=docker.socket

[Service]
Type=notify
EnvironmentFile=-/run/flannel_docker_opts.env
ExecStart=/usr/lib/coreos/dockerd --host=fd:// $DOCKER_OPTS $DOCKER_OPT_BIP $DOCKER_OPT_MTU
TimeoutStartSec=0

[Install]
WantedBy=multi-user.target
`,
  },
  {
    name: "flanneld.service",
    text: `[Unit]
Description=Network fabric for containers
After=etcd2.service
Before=docker.service

[Service]
Type=notify
Restart=always
RestartSec=5
EnvironmentFile=-/run/flannel/options.env
ExecStart=/opt/bin/flanneld --ip-masq=true

[Install]
WantedBy=multi-user.target
`,
  },
];

/** What is enabled on such an image. */
export const CONTAINER_UNITS_ENABLED: readonly string[] = ["docker.socket"];
