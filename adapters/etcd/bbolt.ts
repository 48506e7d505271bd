import { createHash } from "node:crypto";
import type { BackendBucket, BackendRow } from "../../core/etcd/index.js";

/**
 * Files of bbolt, the database under etcd, as etcd's snapshots have them: pages of 4 KiB, a B+tree of buckets, each
 * of them a B+tree of rows. Written whole and read whole; nothing is changed in place.
 * Source: bbolt 1.3 page.go, bucket.go, db.go.
 */
const PAGE_BYTES = 4096;
const PAGE_HEADER_BYTES = 16;
const ELEMENT_BYTES = 16;
const BUCKET_HEADER_BYTES = 16;
const META_BYTES = 64;

const BRANCH_PAGE = 0x01;
const LEAF_PAGE = 0x02;
const META_PAGE = 0x04;
const FREE_LIST_PAGE = 0x10;

/** Marks a row of the root that is a bucket. */
const BUCKET_ROW = 0x01;

const MAGIC = 0xed0cdaed;
const VERSION = 2;

/** Length of the SHA-256 that etcd puts behind a snapshot. */
const CHECKSUM_BYTES = 32;

/** A row on its way into a page; buckets are rows too. */
interface Element {
  readonly flags: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What a tree was written to. */
interface Tree {
  readonly root: number;
}

/** Writes buckets as a database, with the checksum that `etcdctl snapshot restore` asks for. */
export function writeSnapshotFile(buckets: readonly BackendBucket[]): Uint8Array {
  const database = writeDatabase(buckets);
  return Buffer.concat([database, createHash("sha256").update(database).digest()]);
}

/** Writes buckets as a database. */
export function writeDatabase(buckets: readonly BackendBucket[]): Uint8Array {
  const pages = new PageWriter();
  const roots = [...buckets]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, rows }): Element => {
      const tree = pages.tree(rows.map(rowElement));
      const header = Buffer.alloc(BUCKET_HEADER_BYTES);
      header.writeBigUInt64LE(BigInt(tree.root));
      return { flags: BUCKET_ROW, key: Buffer.from(name, "latin1"), value: header };
    });
  return pages.finish(pages.tree(roots).root);
}

function rowElement([key, value]: BackendRow): Element {
  return { flags: 0, key: Buffer.from(key, "latin1"), value: Buffer.from(value, "latin1") };
}

/** Lays out pages one after the other; the first two are the metas, the third the free list. */
class PageWriter {
  readonly #pages: Buffer[] = [];
  #next = 3;

  /** Writes a tree of rows from the leaves up. */
  tree(elements: readonly Element[]): Tree {
    let level = this.#leaves(elements);
    while (level.length > 1) level = this.#branches(level);
    return { root: level[0]?.page ?? 0 };
  }

  #leaves(elements: readonly Element[]): Child[] {
    const size = ({ key, value }: Element): number => ELEMENT_BYTES + key.length + value.length;
    const groups = elements.length === 0 ? [[]] : packed(elements, size);
    return groups.map((group) => {
      const heads = group.map(({ flags, key, value }) => {
        const head = Buffer.alloc(ELEMENT_BYTES);
        head.writeUInt32LE(flags, 0);
        head.writeUInt32LE(key.length, 8);
        head.writeUInt32LE(value.length, 12);
        return head;
      });
      const bodies = group.map(({ key, value }) => Buffer.concat([key, value]));
      return this.#page(LEAF_PAGE, heads, 4, bodies, group[0]?.key ?? Buffer.alloc(0));
    });
  }

  #branches(children: readonly Child[]): Child[] {
    return packed(children, ({ key }) => ELEMENT_BYTES + key.length).map((group) => {
      const heads = group.map(({ key, page }) => {
        const head = Buffer.alloc(ELEMENT_BYTES);
        head.writeUInt32LE(key.length, 4);
        head.writeBigUInt64LE(BigInt(page), 8);
        return head;
      });
      const bodies = group.map(({ key }) => key);
      return this.#page(BRANCH_PAGE, heads, 0, bodies, group[0]?.key ?? Buffer.alloc(0));
    });
  }

  /** `position` is where an element says how far its body is from it. */
  #page(
    flags: number,
    heads: readonly Buffer[],
    position: number,
    bodies: readonly Buffer[],
    key: Buffer,
  ): Child {
    let distance = heads.length * ELEMENT_BYTES;
    for (const [i, head] of heads.entries()) {
      head.writeUInt32LE(distance, position);
      distance += (bodies[i]?.length ?? 0) - ELEMENT_BYTES;
    }
    const body = Buffer.concat([...heads, ...bodies]);
    const count = Math.ceil((PAGE_HEADER_BYTES + body.length) / PAGE_BYTES);
    const page = Buffer.alloc(count * PAGE_BYTES);
    writePageHeader(page, this.#next, flags, heads.length, count - 1);
    body.copy(page, PAGE_HEADER_BYTES);
    this.#pages.push(page);
    const child = { page: this.#next, key };
    this.#next += count;
    return child;
  }

  /** The whole file, whose buckets are below a root page. */
  finish(root: number): Buffer {
    const free = Buffer.alloc(PAGE_BYTES);
    writePageHeader(free, 2, FREE_LIST_PAGE, 0, 0);
    const metas = [0, 1].map((id) => metaPage(id, root, this.#next));
    return Buffer.concat([...metas, free, ...this.#pages]);
  }
}

/** A page of a tree, with its first key. */
interface Child {
  readonly page: number;
  readonly key: Buffer;
}

/** Groups that fill a page; as in bbolt at least two share one, which then runs over into the next pages. */
function packed<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const groups: T[][] = [];
  let size = 0;
  for (const item of items) {
    const group = groups.at(-1);
    const isFull = group !== undefined && group.length >= 2;
    if (group === undefined || (isFull && PAGE_HEADER_BYTES + size + sizeOf(item) > PAGE_BYTES)) {
      groups.push([item]);
      size = sizeOf(item);
    } else {
      group.push(item);
      size += sizeOf(item);
    }
  }
  return groups;
}

function writePageHeader(
  page: Buffer,
  id: number,
  flags: number,
  count: number,
  overflow: number,
): void {
  page.writeBigUInt64LE(BigInt(id), 0);
  page.writeUInt16LE(flags, 8);
  page.writeUInt16LE(count, 10);
  page.writeUInt32LE(overflow, 12);
}

function metaPage(id: number, root: number, pages: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  writePageHeader(page, id, META_PAGE, 0, 0);
  const meta = page.subarray(PAGE_HEADER_BYTES);
  meta.writeUInt32LE(MAGIC, 0);
  meta.writeUInt32LE(VERSION, 4);
  meta.writeUInt32LE(PAGE_BYTES, 8);
  meta.writeBigUInt64LE(BigInt(root), 16);
  meta.writeBigUInt64LE(2n, 32);
  meta.writeBigUInt64LE(BigInt(pages), 40);
  meta.writeBigUInt64LE(BigInt(id), 48);
  meta.writeBigUInt64LE(fnv64a(meta.subarray(0, META_BYTES - 8)), 56);
  return page;
}

/** FNV-1a over 64 bits. */
function fnv64a(bytes: Uint8Array): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of bytes) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  }
  return hash;
}

/** A file that is not the database it should be: what was found, and what was expected. */
export class SnapshotFileError extends Error {
  override readonly name = "SnapshotFileError";
}

/**
 * Reads a snapshot of etcd, or a database file of a member that is stopped.
 *
 * @throws SnapshotFileError if the checksum of a snapshot is wrong, or the file is not one of bbolt's
 */
export function readSnapshotFile(file: Uint8Array): readonly BackendBucket[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const hasChecksum = bytes.length % 512 === CHECKSUM_BYTES;
  const database = hasChecksum ? bytes.subarray(0, -CHECKSUM_BYTES) : bytes;
  if (hasChecksum) {
    const found = bytes.subarray(-CHECKSUM_BYTES).toString("hex");
    const expected = createHash("sha256").update(database).digest("hex");
    if (found !== expected) {
      throw new SnapshotFileError(
        `the snapshot's checksum is ${found}, expected ${expected}: the file was changed or is cut; take the snapshot again`,
      );
    }
  }
  return new DatabaseReader(database).buckets();
}

class DatabaseReader {
  readonly #pageBytes: number;
  readonly #root: number;

  constructor(readonly bytes: Buffer) {
    const metas = [0, this.#secondMeta()].flatMap((at) => this.#metaAt(at));
    const [meta] = metas.sort((left, right) => Number(right.txid - left.txid));
    if (meta === undefined) {
      throw new SnapshotFileError(
        `no valid meta page in ${bytes.length} bytes, expected a bbolt database of version ${VERSION}`,
      );
    }
    this.#pageBytes = meta.pageBytes;
    this.#root = meta.root;
  }

  /** Pages are as large as those of the machine that wrote them; the first meta tells. */
  #secondMeta(): number {
    const told = this.bytes.length < PAGE_HEADER_BYTES + 12 ? 0 : this.bytes.readUInt32LE(24);
    return told >= 512 && told <= 65536 ? told : PAGE_BYTES;
  }

  #metaAt(at: number): { readonly pageBytes: number; readonly root: number; txid: bigint }[] {
    const start = at + PAGE_HEADER_BYTES;
    if (this.bytes.length < start + META_BYTES) return [];
    const meta = this.bytes.subarray(start, start + META_BYTES);
    const isMeta = meta.readUInt32LE(0) === MAGIC && meta.readUInt32LE(4) === VERSION;
    if (!isMeta || meta.readBigUInt64LE(56) !== fnv64a(meta.subarray(0, META_BYTES - 8))) return [];
    const root = Number(meta.readBigUInt64LE(16));
    return [{ pageBytes: meta.readUInt32LE(8), root, txid: meta.readBigUInt64LE(48) }];
  }

  buckets(): BackendBucket[] {
    return this.#rows(this.#root).map(({ flags, key, value }) => {
      const name = key.toString("latin1");
      if ((flags & BUCKET_ROW) === 0) {
        throw new SnapshotFileError(`"${name}" is no bucket, expected only buckets at the root`);
      }
      const root = Number(value.readBigUInt64LE(0));
      // A small bucket is a page within its row.
      const found = root === 0 ? elementsOf(value.subarray(BUCKET_HEADER_BYTES)) : this.#rows(root);
      const rows = found.map(
        (row): BackendRow => [row.key.toString("latin1"), row.value.toString("latin1")],
      );
      return { name, rows };
    });
  }

  #rows(id: number): Element[] {
    const page = this.#page(id);
    const flags = page.readUInt16LE(8);
    if (flags === LEAF_PAGE) return elementsOf(page);
    if (flags !== BRANCH_PAGE) {
      throw new SnapshotFileError(`page ${id} has flags ${flags}, expected a leaf or a branch`);
    }
    const rows: Element[] = [];
    for (let i = 0; i < page.readUInt16LE(10); i++) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      for (const row of this.#rows(Number(page.readBigUInt64LE(at + 8)))) rows.push(row);
    }
    return rows;
  }

  #page(id: number): Buffer {
    const start = id * this.#pageBytes;
    const length = this.bytes.length >= start + PAGE_HEADER_BYTES ? this.#pagesAt(start) : 0;
    if (length === 0 || start + length > this.bytes.length) {
      throw new SnapshotFileError(
        `page ${id} lies beyond the ${this.bytes.length} bytes of the file: it is cut`,
      );
    }
    return this.bytes.subarray(start, start + length);
  }

  #pagesAt(start: number): number {
    return (1 + this.bytes.readUInt32LE(start + 12)) * this.#pageBytes;
  }
}

function elementsOf(page: Buffer): Element[] {
  const count = page.readUInt16LE(10);
  return Array.from({ length: count }, (_, i) => {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    const from = at + page.readUInt32LE(at + 4);
    const middle = from + page.readUInt32LE(at + 8);
    const to = middle + page.readUInt32LE(at + 12);
    if (to > page.length) throw new SnapshotFileError(`row ${i} of a page runs out of it`);
    return {
      flags: page.readUInt32LE(at),
      key: page.subarray(from, middle),
      value: page.subarray(middle, to),
    };
  });
}
