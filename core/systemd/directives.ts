import type { UnitType } from "./names.js";

/**
 * How the value of a directive is read. `other`: known, but its value is not looked at here;
 * `removed`: systemd says that it has no effect any more.
 */
export type ValueKind =
  | "boolean"
  | "calendar"
  | "collectMode"
  | "command"
  | "conditionPath"
  | "count"
  | "emergencyAction"
  | "environment"
  | "environmentFile"
  | "exitType"
  | "jobMode"
  | "killMode"
  | "mode"
  | "notifyAccess"
  | "other"
  | "path"
  | "pathSpec"
  | "removed"
  | "restart"
  | "serviceType"
  | "signal"
  | "socketService"
  | "span"
  | "statuses"
  | "text"
  | "timeoutFailureMode"
  | "timer"
  | "trigger"
  | "units";

type Table = Readonly<Partial<Record<ValueKind, string>>>;

/** The directives of systemd 252 by section, those of several sections under what they are about. */
const TABLES = {
  Unit: {
    boolean:
      "StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate DefaultDependencies " +
      "IgnoreOnIsolate",
    collectMode: "CollectMode",
    conditionPath:
      "ConditionPathExists ConditionPathExistsGlob ConditionPathIsDirectory " +
      "ConditionPathIsSymbolicLink ConditionPathIsMountPoint ConditionPathIsReadWrite " +
      "ConditionPathIsEncrypted ConditionDirectoryNotEmpty ConditionFileNotEmpty " +
      "ConditionFileIsExecutable ConditionNeedsUpdate AssertPathExists AssertPathExistsGlob " +
      "AssertPathIsDirectory AssertPathIsSymbolicLink AssertPathIsMountPoint " +
      "AssertPathIsReadWrite AssertPathIsEncrypted AssertDirectoryNotEmpty AssertFileNotEmpty " +
      "AssertFileIsExecutable AssertNeedsUpdate",
    count: "StartLimitBurst",
    emergencyAction: "FailureAction SuccessAction StartLimitAction JobTimeoutAction",
    jobMode: "OnSuccessJobMode OnFailureJobMode",
    other:
      "Documentation RequiresOverridable RequisiteOverridable RequiresMountsFor " +
      "OnFailureIsolate JobTimeoutRebootArgument FailureActionExitStatus " +
      "SuccessActionExitStatus RebootArgument",
    path: "SourcePath",
    removed: "IgnoreOnSnapshot",
    span: "JobTimeoutSec JobRunningTimeoutSec StartLimitIntervalSec StartLimitInterval",
    text:
      "Description ConditionFirstBoot ConditionArchitecture ConditionFirmware " +
      "ConditionVirtualization ConditionHost ConditionKernelCommandLine ConditionKernelVersion " +
      "ConditionCredential ConditionSecurity ConditionCapability ConditionACPower " +
      "ConditionMemory ConditionCPUFeature ConditionCPUs ConditionEnvironment ConditionUser " +
      "ConditionGroup ConditionControlGroupController ConditionOSRelease " +
      "ConditionMemoryPressure ConditionCPUPressure ConditionIOPressure AssertFirstBoot " +
      "AssertArchitecture AssertVirtualization AssertHost AssertKernelCommandLine " +
      "AssertKernelVersion AssertCredential AssertSecurity AssertCapability AssertACPower " +
      "AssertMemory AssertCPUFeature AssertCPUs AssertEnvironment AssertUser AssertGroup " +
      "AssertControlGroupController AssertOSRelease AssertMemoryPressure AssertCPUPressure " +
      "AssertIOPressure",
    units:
      "Requires Requisite Wants BindsTo BindTo Upholds Conflicts Before After OnSuccess " +
      "OnFailure PropagatesReloadTo PropagateReloadTo ReloadPropagatedFrom PropagateReloadFrom " +
      "PropagatesStopTo StopPropagatedFrom PartOf JoinsNamespaceOf",
  },
  Service: {
    boolean: "PermissionsStartOnly RootDirectoryStartOnly RemainAfterExit GuessMainPID NonBlocking",
    command: "ExecCondition ExecStartPre ExecStart ExecStartPost ExecReload ExecStop ExecStopPost",
    count: "StartLimitBurst FileDescriptorStoreMax",
    exitType: "ExitType",
    notifyAccess: "NotifyAccess",
    emergencyAction: "StartLimitAction FailureAction",
    other: "PIDFile BusName Sockets OOMPolicy",
    path: "USBFunctionDescriptors USBFunctionStrings",
    removed: "SysVStartPriority BusPolicy",
    restart: "Restart",
    serviceType: "Type",
    span:
      "RestartSec TimeoutSec TimeoutStartSec TimeoutStopSec TimeoutAbortSec RuntimeMaxSec " +
      "RuntimeRandomizedExtraSec WatchdogSec StartLimitInterval",
    statuses: "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus",
    text: "RebootArgument",
    timeoutFailureMode: "TimeoutStartFailureMode TimeoutStopFailureMode",
  },
  Socket: {
    boolean:
      "Accept FlushPending Writable KeepAlive NoDelay FreeBind Transparent Broadcast " +
      "PassCredentials PassSecurity PassPacketInfo ReusePort RemoveOnStop SELinuxContextFromNet",
    command: "ExecStartPre ExecStartPost ExecStopPre ExecStopPost",
    count: "Backlog MaxConnections MaxConnectionsPerSource KeepAliveProbes TriggerLimitBurst",
    mode: "SocketMode DirectoryMode",
    other:
      "ListenStream ListenDatagram ListenSequentialPacket ListenFIFO ListenNetlink " +
      "ListenSpecial ListenMessageQueue ListenUSBFunction SocketProtocol BindIPv6Only " +
      "BindToDevice SocketUser SocketGroup Priority ReceiveBuffer SendBuffer IPTOS IPTTL Mark " +
      "PipeSize Timestamping TCPCongestion MessageQueueMaxMessages MessageQueueMessageSize " +
      "Symlinks FileDescriptorName",
    socketService: "Service",
    span: "TimeoutSec KeepAliveTimeSec KeepAliveIntervalSec DeferAcceptSec TriggerLimitIntervalSec",
    text: "SmackLabel SmackLabelIPIn SmackLabelIPOut",
  },
  Timer: {
    boolean:
      "OnClockChange OnTimezoneChange Persistent WakeSystem RemainAfterElapse FixedRandomDelay",
    calendar: "OnCalendar",
    span: "AccuracySec RandomizedDelaySec",
    timer: "OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec",
    trigger: "Unit",
  },
  Path: {
    boolean: "MakeDirectory",
    count: "TriggerLimitBurst",
    mode: "DirectoryMode",
    pathSpec: "PathExists PathExistsGlob PathChanged PathModified DirectoryNotEmpty",
    span: "TriggerLimitIntervalSec",
    trigger: "Unit",
  },
  Mount: {
    boolean: "SloppyOptions LazyUnmount ForceUnmount ReadWriteOnly",
    mode: "DirectoryMode",
    path: "Where",
    span: "TimeoutSec",
    text: "What Options Type",
  },
  Automount: {
    mode: "DirectoryMode",
    path: "Where",
    span: "TimeoutIdleSec",
    text: "ExtraOptions",
  },
  Swap: {
    other: "Priority",
    path: "What",
    span: "TimeoutSec",
    text: "Options",
  },
  Scope: {
    other: "OOMPolicy",
    span: "RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutStopSec",
  },
  Install: {
    other: "Alias WantedBy RequiredBy Also DefaultInstance",
  },
  Exec: {
    boolean:
      "CPUSchedulingResetOnFork DynamicUser RemoveIPC TTYReset TTYVHangup TTYVTDisallocate " +
      "SyslogLevelPrefix NoNewPrivileges MemoryDenyWriteExecute RestrictRealtime " +
      "RestrictSUIDSGID LockPersonality PrivateTmp PrivateDevices ProtectKernelTunables " +
      "ProtectKernelModules ProtectKernelLogs ProtectClock ProtectControlGroups PrivateNetwork " +
      "PrivateUsers PrivateMounts PrivateIPC IgnoreSIGPIPE ProtectHostname",
    count: "LogRateLimitBurst",
    environment: "Environment",
    environmentFile: "EnvironmentFile",
    mode:
      "UMask RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode " +
      "ConfigurationDirectoryMode",
    other:
      "WorkingDirectory RootImageOptions RootHash RootHashSignature ExtensionDirectories " +
      "ExtensionImages MountImages User Group SupplementaryGroups Nice OOMScoreAdjust " +
      "CoredumpFilter IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy " +
      "CPUSchedulingPriority CPUAffinity NUMAPolicy NUMAMask PassEnvironment UnsetEnvironment " +
      "StandardInput StandardOutput StandardError StandardInputText StandardInputData TTYRows " +
      "TTYColumns SyslogFacility SyslogLevel LogLevelMax LogExtraFields SecureBits " +
      "CapabilityBoundingSet AmbientCapabilities TimerSlackNSec KeyringMode ProtectProc " +
      "ProcSubset SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog " +
      "RestrictNamespaces RestrictAddressFamilies RestrictFileSystems LimitCPU LimitFSIZE " +
      "LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS LimitNPROC LimitMEMLOCK " +
      "LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME " +
      "ReadWriteDirectories ReadOnlyDirectories InaccessibleDirectories ReadWritePaths " +
      "ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ExecSearchPath BindPaths " +
      "BindReadOnlyPaths TemporaryFileSystem LogNamespace ProtectSystem ProtectHome MountFlags " +
      "MountAPIVFS Personality RuntimeDirectoryPreserve RuntimeDirectory StateDirectory " +
      "CacheDirectory LogsDirectory ConfigurationDirectory SetCredential SetCredentialEncrypted " +
      "LoadCredential LoadCredentialEncrypted UtmpMode SELinuxContext AppArmorProfile " +
      "SmackProcessLabel",
    path: "RootDirectory RootImage RootVerity TTYPath NetworkNamespacePath IPCNamespacePath",
    removed: "Capabilities",
    span: "LogRateLimitIntervalSec TimeoutCleanSec",
    text: "SyslogIdentifier PAMName UtmpIdentifier",
  },
  Cgroup: {
    boolean:
      "CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting " +
      "IPAccounting",
    other:
      "Slice AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes " +
      "CPUWeight StartupCPUWeight CPUShares StartupCPUShares CPUQuota CPUQuotaPeriodSec " +
      "MemoryMin DefaultMemoryMin DefaultMemoryLow MemoryLow MemoryHigh MemoryMax MemorySwapMax " +
      "MemoryLimit DeviceAllow DevicePolicy IOWeight StartupIOWeight IODeviceWeight " +
      "IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax " +
      "IODeviceLatencyTargetSec BlockIOWeight StartupBlockIOWeight BlockIODeviceWeight " +
      "BlockIOReadBandwidth BlockIOWriteBandwidth TasksMax Delegate DisableControllers " +
      "IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath ManagedOOMSwap " +
      "ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit ManagedOOMPreference BPFProgram " +
      "SocketBindAllow SocketBindDeny RestrictNetworkInterfaces",
    removed: "NetClass",
  },
  Kill: {
    boolean: "SendSIGKILL SendSIGHUP",
    killMode: "KillMode",
    signal: "KillSignal RestartKillSignal FinalKillSignal WatchdogSignal",
  },
} as const satisfies Readonly<Record<string, Table>>;

type Group = keyof typeof TABLES;

/** What may stand in the section of a type besides what is its own. */
const SHARED: Readonly<Partial<Record<string, readonly Group[]>>> = {
  Service: ["Exec", "Cgroup", "Kill"],
  Socket: ["Exec", "Cgroup", "Kill"],
  Mount: ["Exec", "Cgroup", "Kill"],
  Swap: ["Exec", "Cgroup", "Kill"],
  Slice: ["Cgroup"],
  Scope: ["Cgroup", "Kill"],
};

const isGroup = (name: string): name is Group => Object.hasOwn(TABLES, name);

const VALUE_KINDS = [
  "boolean",
  "calendar",
  "collectMode",
  "command",
  "conditionPath",
  "count",
  "emergencyAction",
  "environment",
  "environmentFile",
  "exitType",
  "jobMode",
  "killMode",
  "mode",
  "notifyAccess",
  "other",
  "path",
  "pathSpec",
  "removed",
  "restart",
  "serviceType",
  "signal",
  "socketService",
  "span",
  "statuses",
  "text",
  "timeoutFailureMode",
  "timer",
  "trigger",
  "units",
] as const satisfies readonly ValueKind[];

/** The directives of a section with how their values are read; empty when there is no such section. */
export function directivesOf(section: string): ReadonlyMap<string, ValueKind> {
  return DIRECTIVES.get(section) ?? NONE;
}

const NONE: ReadonlyMap<string, ValueKind> = new Map();

const DIRECTIVES: ReadonlyMap<string, ReadonlyMap<string, ValueKind>> = new Map(
  Object.keys({ ...TABLES, ...SHARED }).map((section) => [section, readTables(section)]),
);

function readTables(section: string): ReadonlyMap<string, ValueKind> {
  const groups = [...(isGroup(section) ? [section] : []), ...(SHARED[section] ?? [])];
  const directives = new Map<string, ValueKind>();
  for (const group of groups) {
    const table: Table = TABLES[group];
    for (const kind of VALUE_KINDS) {
      for (const key of table[kind]?.split(" ") ?? []) directives.set(key, kind);
    }
  }
  return directives;
}

/** The sections that systemd reads in a unit file of a type; [Install] only when it is enabled. */
export function sectionsOf(type: UnitType): readonly string[] {
  return ["Unit", type.charAt(0).toUpperCase() + type.slice(1), "Install"];
}
