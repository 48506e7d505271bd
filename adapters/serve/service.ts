import { status } from "@grpc/grpc-js";
import {
  bucketsOf,
  type ClientReply,
  type ResponseHeader,
  type V3Result,
} from "../../core/etcd/index.js";
import { writeSnapshotFile } from "../etcd/bbolt.js";
import { callAt, isCallResult, readRequest, writeResult } from "../etcd/wire.js";
import type { CallName } from "../etcd/wire-calls.js";
import { WireRefusal } from "../etcd/wire-error.js";
import type { Wire } from "../etcd/wire-fields.js";
import { readWatchRequest, WATCH_PATH, watchResponseMessage } from "../etcd/wire-watch.js";
import type { AskOptions, MemberPort } from "./port.js";
import { Recipes } from "./recipes.js";
import { answered, CallFailure, cancelled, refused, unknownMethod } from "./status.js";
import { Answers, answersTo, failureOf, type StreamHandle, type StreamSink } from "./stream.js";

/** Who calls, and until when. */
export interface CallContext {
  readonly asking: AskOptions;
  /** Aborted when the client has hung up or its deadline has passed. */
  readonly signal: AbortSignal;
}

/** Keep-alives that a client may ask for before it reads an answer. */
const KEEP_ALIVES_MAX = 1_000;

/** etcd sends the file of a snapshot in parts of this size. */
const SNAPSHOT_PART = 32 << 10;

/**
 * The methods of one member, whatever protocol they are called by. Messages come and go as protobuf
 * has them.
 */
export class MemberService {
  constructor(readonly member: MemberPort) {}

  /** Calls a method of one message and one answer. Rejects with a `CallFailure`. */
  async call(path: string, message: Wire, context: CallContext): Promise<Wire> {
    const name = callAt(path);
    if (name !== null) return this.#ask(name, message, context);
    const recipes = new Recipes(this.member, context.asking, context.signal);
    switch (path) {
      case "/v3lockpb.Lock/Lock":
        return recipes.lock(message);
      case "/v3lockpb.Lock/Unlock":
        return recipes.unlock(message);
      case "/v3electionpb.Election/Campaign":
        return recipes.campaign(message);
      case "/v3electionpb.Election/Proclaim":
        return recipes.proclaim(message);
      case "/v3electionpb.Election/Leader":
        return recipes.leader(message);
      case "/v3electionpb.Election/Resign":
        return recipes.resign(message);
      case "/grpc.health.v1.Health/Check":
        return health(message);
      default:
        throw unknownMethod(path);
    }
  }

  /** Opens a method of many messages, or of many answers. */
  open(path: string, context: CallContext, sink: StreamSink): StreamHandle {
    const answers = new Answers(sink);
    switch (path) {
      case WATCH_PATH:
        return this.#watch(context, answers);
      case "/etcdserverpb.Lease/LeaseKeepAlive":
        return this.#keepAlive(context, answers);
      case "/etcdserverpb.Maintenance/Snapshot":
        return answersTo(answers, () => this.#snapshot(context, answers));
      case "/v3electionpb.Election/Observe":
        return answersTo(answers, (message) =>
          new Recipes(this.member, context.asking, context.signal).observe(message, (answer) =>
            answers.tell(answer),
          ),
        );
      case "/grpc.health.v1.Health/Watch":
        return answersTo(answers, async (message) => {
          await answers.tell(health(message));
          await new Promise((resolve) => answers.onEnd(() => resolve(null)));
        });
      default:
        return answersTo(answers, () => Promise.reject(unknownMethod(path)));
    }
  }

  #ask(name: CallName, message: Wire, { asking, signal }: CallContext): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const request = understood(() => readRequest(name, message));
      const conversation = this.member.ask(request, asking, (reply) => {
        signal.removeEventListener("abort", abort);
        try {
          const { header, result } = answered(reply);
          resolve(this.#write(header, result));
        } catch (error) {
          reject(failureOf(error));
        }
      });
      const abort = (): void => {
        conversation.hangUp();
        reject(cancelled());
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Clients follow the URLs of a member list: they have to lead here. */
  #write(header: ResponseHeader, result: V3Result): Wire {
    if (!isCallResult(result)) throw new CallFailure(status.INTERNAL, `no answer: ${result.op}`);
    if (!("members" in result)) return writeResult(result.op, header, result);
    const here = <M extends { readonly clientUrls: readonly string[] }>(member: M): M => ({
      ...member,
      clientUrls: this.member.reachable(member.clientUrls),
    });
    return writeResult(result.op, header, {
      ...result,
      members: result.members.map(here),
      member: result.member === null ? null : here(result.member),
    });
  }

  #watch({ asking }: CallContext, answers: Answers): StreamHandle {
    const conversation = this.member.ask({ op: "watch-stream" }, asking, (reply) => {
      try {
        const { header, result } = answered(reply);
        if (result.op !== "watch-response") return;
        if (!answers.send(watchResponseMessage(header, result))) conversation.flow(true);
      } catch (error) {
        answers.end(failureOf(error));
      }
    });
    answers.onEnd(() => conversation.hangUp());
    return {
      message: (message) => {
        const said = readWatchRequest(message);
        if (said !== null) conversation.say(said);
      },
      // Go's server ends a watch whose client says no more.
      halfClosed: () => answers.end(null),
      drained: () => conversation.flow(false),
      gone: (why = cancelled()) => answers.end(why),
    };
  }

  /** One request after the other, in the order in which they came. */
  #keepAlive(context: CallContext, answers: Answers): StreamHandle {
    let turn = Promise.resolve();
    let waiting = 0;
    const one = async (message: Wire): Promise<void> => {
      if (answers.over) return;
      await answers.tell(await this.#ask("lease-keep-alive", message, context));
      waiting--;
    };
    return {
      message: (message) => {
        if (++waiting > KEEP_ALIVES_MAX) {
          const why = `${KEEP_ALIVES_MAX} keep-alives wait for the client to read`;
          answers.end(new CallFailure(status.RESOURCE_EXHAUSTED, why));
          return;
        }
        turn = turn
          .then(() => one(message))
          .catch((error: unknown) => answers.end(failureOf(error)));
      },
      halfClosed: () => {
        turn = turn.then(() => answers.end(null));
      },
      drained: () => answers.drained(),
      gone: (why = cancelled()) => answers.end(why),
    };
  }

  async #snapshot({ asking }: CallContext, answers: Answers): Promise<void> {
    const reply = await new Promise<ClientReply>((resolve) => {
      const conversation = this.member.ask({ op: "snapshot" }, asking, resolve);
      answers.onEnd(() => conversation.hangUp());
    });
    const { result } = answered(reply);
    if (result.op !== "snapshot") return;
    const profile = this.member.state()?.config.profile;
    if (profile === undefined) throw new CallFailure(status.UNAVAILABLE, "transport is closing");
    const file = writeSnapshotFile(bucketsOf(result.image, profile));
    for (let at = 0; at < file.length; at += SNAPSHOT_PART) {
      const blob = file.subarray(at, at + SNAPSHOT_PART);
      const remaining = file.length - at - blob.length;
      await answers.tell({ remaining_bytes: String(remaining), blob: Buffer.from(blob) });
    }
  }
}

function health(message: Wire): Wire {
  if ((message.service ?? "") === "") return { status: "SERVING" };
  throw new CallFailure(status.NOT_FOUND, "unknown service");
}

function understood<Request>(read: () => Request): Request {
  try {
    return read();
  } catch (error) {
    throw error instanceof WireRefusal ? refused(error.failure) : error;
  }
}
