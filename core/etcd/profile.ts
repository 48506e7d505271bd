/**
 * How a release behaves where releases differ: one field for each difference that a client can see, named after
 * the defect or the change, true where the release has it. A member reads this and never a version number.
 */
export interface EtcdProfile {
  readonly line: "3.4" | "3.6";
  /** --pre-vote unless told otherwise: on since 3.5. */
  readonly preVote: boolean;
  /** A transaction is refused for its puts before its ranges, whatever their order. */
  readonly checksPutsFirst: boolean;
  /**
   * Members that owe the client no answer leave out a transaction's ranges, though not those of nested ones: where
   * a range's revision is refused, they do the rest of the transaction, and the members' stores differ (#18667).
   */
  readonly stripsRanges: boolean;
  /** A compaction at a deletion's own revision keeps it, so that watches from there on see it (#19179). */
  readonly keepsTombstone: boolean;
  /** Compactions remember the hash of what they found, and HashKV answers it. */
  readonly compactionHashes: boolean;
  /** HashKV answers at the revision of the last compaction too. */
  readonly hashesCompacted: boolean;
  /** HashKV says up to which revision its hash goes. */
  readonly tellsHashRevision: boolean;
  /** Auth: what is nested in a transaction, and prev_kv and lease of its puts, is not checked (#21681). */
  readonly nestedTxnUnchecked: boolean;
  /** Auth: who may read one key may watch everything from it on (GHSA-xg4h-6gfc-h4m8). */
  readonly openWatchCheckedAsKey: boolean;
  /** Once an alarm is raised, and until it is disarmed or the member starts again, nothing is checked when applied. */
  readonly alarmDropsChecks: boolean;
  /** Auth: a token is judged, and refused, even while auth is off. */
  readonly judgesTokensWhileOff: boolean;
  /** Auth: a token may come as `Bearer TOKEN`. */
  readonly bearerTokens: boolean;
  /** Auth: status, alarms, members and leases are for those who have logged in; moving the lead is for root. */
  readonly loginForAll: boolean;
  /** Auth: keys of leases count for who may renew, list and look at them. */
  readonly leasesChecked: boolean;
  /** Auth: `maintenance` answers with the server's own texts, as code Unknown. */
  readonly rawMaintenanceErrors: boolean;
  /** Auth: the AuthStatus call, which only root may make. */
  readonly authStatus: boolean;
  /** Auth: a range that ends before it begins cannot be granted. */
  readonly checksPermissionRange: boolean;
  /** Auth: the role root shows its permission. */
  readonly showsRootPermission: boolean;
  /** Auth: passwords are hashed before they go to the log, which fails beyond 72 bytes. */
  readonly hashesBeforeLog: boolean;
  /** Auth: the number in a token is the index of the entry before its own. */
  readonly tokenOfEntryBefore: boolean;
  /** What is nested in a transaction takes nothing of the quota. */
  readonly nestedTxnFree: boolean;
  /** Answers about alarms have no header. */
  readonly alarmHeaderless: boolean;
  /** Alarms of type NONE are kept as any other. */
  readonly keepsAlarmNone: boolean;
  /** A member can be added only while all voters are connected, not just a quorum. */
  readonly addNeedsAllVoters: boolean;
  /** Giving a learner other URLs makes it a voter for everyone but raft (#21736). */
  readonly updateUnmakesLearner: boolean;
  /** Who is not in the cluster cannot be promoted, found before anything is proposed. */
  readonly promoteChecksMember: boolean;
  /** A list of members can be asked for that is as new as the question. */
  readonly memberListLinearizable: boolean;
  /** A learner refuses as if it were only unavailable. */
  readonly learnerUnavailable: boolean;
  /** The Downgrade call. */
  readonly downgrade: boolean;
  /** A request for which no leader was found in time fails with code Unknown, as in the gRPC of that time. */
  readonly contextErrorsUnknown: boolean;
  /** Watch: an answer to a question for progress does not wait for what watches are yet to see (#15220). */
  readonly watchProgressOvertakes: boolean;
  /** Watch: after a snapshot a watch sees again what it has seen since it was last behind (#15271). */
  readonly watchReplaysAfterRestore: boolean;
  /** Watch: who is behind a compaction and does not read misses changes instead of being told (#17529). */
  readonly watchLosesEventsIfCompacted: boolean;
  /** Watch: one from a revision to come is told of progress, and of what comes before it, too soon (#20221). */
  readonly watchForgetsFutureStart: boolean;
  /** Watch: a negative start revision is taken. */
  readonly watchTakesNegativeRevision: boolean;
  /** Lease: who has lost the lead while its disk was slow goes on to renew and revoke (#17425, #17465). */
  readonly leasesKeptByOldLeader: boolean;
  /** Lease: a renewal that waited for its checkpoint succeeds though the lease is revoked by then (#20615). */
  readonly leaseRenewedOnceRevoked: boolean;
  /** Lease: a leader that has not taken up its duties says that leases last for ever. */
  readonly leaseEndlessBeforePromotion: boolean;
}

const PROFILES = {
  /** 3.4.23, which Debian 12 ships. */
  "3.4": {
    line: "3.4",
    preVote: false,
    checksPutsFirst: true,
    stripsRanges: true,
    keepsTombstone: false,
    compactionHashes: false,
    hashesCompacted: false,
    tellsHashRevision: false,
    nestedTxnUnchecked: true,
    openWatchCheckedAsKey: true,
    alarmDropsChecks: true,
    judgesTokensWhileOff: true,
    bearerTokens: false,
    loginForAll: false,
    leasesChecked: false,
    rawMaintenanceErrors: true,
    authStatus: false,
    checksPermissionRange: false,
    showsRootPermission: false,
    hashesBeforeLog: false,
    tokenOfEntryBefore: false,
    nestedTxnFree: true,
    alarmHeaderless: true,
    keepsAlarmNone: true,
    addNeedsAllVoters: true,
    updateUnmakesLearner: true,
    promoteChecksMember: false,
    memberListLinearizable: false,
    learnerUnavailable: true,
    downgrade: false,
    contextErrorsUnknown: true,
    watchProgressOvertakes: true,
    watchReplaysAfterRestore: true,
    watchLosesEventsIfCompacted: true,
    watchForgetsFutureStart: true,
    watchTakesNegativeRevision: true,
    leasesKeptByOldLeader: true,
    leaseRenewedOnceRevoked: true,
    leaseEndlessBeforePromotion: true,
  },
  /** 3.6.16. */
  "3.6": {
    line: "3.6",
    preVote: true,
    checksPutsFirst: false,
    stripsRanges: true,
    keepsTombstone: true,
    compactionHashes: true,
    hashesCompacted: true,
    tellsHashRevision: true,
    nestedTxnUnchecked: false,
    openWatchCheckedAsKey: false,
    alarmDropsChecks: false,
    judgesTokensWhileOff: false,
    bearerTokens: true,
    loginForAll: true,
    leasesChecked: true,
    rawMaintenanceErrors: false,
    authStatus: true,
    checksPermissionRange: true,
    showsRootPermission: true,
    hashesBeforeLog: true,
    tokenOfEntryBefore: true,
    nestedTxnFree: false,
    alarmHeaderless: false,
    keepsAlarmNone: false,
    addNeedsAllVoters: false,
    updateUnmakesLearner: false,
    promoteChecksMember: true,
    memberListLinearizable: true,
    learnerUnavailable: false,
    downgrade: true,
    contextErrorsUnknown: false,
    watchProgressOvertakes: false,
    watchReplaysAfterRestore: false,
    watchLosesEventsIfCompacted: false,
    watchForgetsFutureStart: false,
    watchTakesNegativeRevision: false,
    leasesKeptByOldLeader: false,
    leaseRenewedOnceRevoked: false,
    leaseEndlessBeforePromotion: false,
  },
} as const satisfies Record<EtcdProfile["line"], EtcdProfile>;

/** The profile for a version such as `3.4.23`: releases before 3.5 are taken for 3.4, all others for 3.6. */
export function profileOf(version: string): EtcdProfile {
  const [major = 3, minor = 4] = version.split(".").map(Number);
  return major < 3 || (major === 3 && minor < 5) ? PROFILES["3.4"] : PROFILES["3.6"];
}
