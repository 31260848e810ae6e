/** Postern's HTTP contract as the browser sees it. Field names are the wire's. */

/** RFC 9457 problem; `type` is stable, the rest is for people. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  traceId?: string;
  /** Connection the problem is about, with `urn:postern:reconnect-required`. */
  connection?: string;
  /** Why a connection has to be made again. */
  reason?: ReconnectReason;
  /** Seconds to wait, from `Retry-After`. */
  retryAfter?: number;
}

export type ReconnectReason = "none" | "expired" | "revoked" | "denied" | "uncertain" | "scope";

export interface Scope {
  name: string;
  /** What the scope reaches, in plain words. */
  reaches: string;
}

export interface ConnectionState {
  id: string;
  displayName: string;
  platform: string;
  identity: "user" | "service" | "federated";
  state: "connected" | "not-connected" | "reconnect";
  reason?: ReconnectReason;
  canRevokeAtProvider: boolean;
  principal?: string;
  scopes?: Scope[];
  accessTokenExpiresAt?: string;
}

export interface Session {
  kind: "portal" | "frame";
  subject: { id: string; name: string; email: string };
  tenant: { id: string; displayName: string };
  workbook?: string;
  connections: ConnectionState[];
  workbooks: { id: string; title: string }[];
  /** Seconds left. */
  expiresIn: number;
}

export interface Connect {
  id: string;
  handle: string;
  popup: string;
}

export interface Introduction {
  connection: { displayName: string; platform: string; endpoint: string };
  host: { displayName: string; origin: string } | null;
  subject: { name: string; email: string };
  scopes: Scope[];
  agreement?: { version: string; text: string };
}

export interface Grant {
  id: string;
  connection: { id: string; displayName: string; platform: string };
  state: string;
  principal: string;
  scopes: Scope[];
  grantedAt: string;
  lastUsedAt?: string;
  accessTokenExpiresAt?: string;
  canRevokeAtProvider: boolean;
  revocation?: { status: "revoked" | "pending" | "provider-cannot-revoke" | "gave-up"; accessTokenLivesUntil?: string };
}

export type ColumnType = "date" | "string" | "int" | "float" | "bool" | "timestamp";

export interface ColumnContract {
  type: ColumnType;
  label?: string;
  format?: string;
}

export interface Query {
  columns: Record<string, ColumnContract>;
  /** Controls the query reads; absent means: every control of its page. */
  controls?: string[];
}

export interface DateRange {
  from: string;
  /** Exclusive. */
  to: string;
}

export type ControlValue = DateRange | number | string | string[] | undefined;

interface ControlBase<T extends string, D> {
  type: T;
  label: string;
  default?: D | null;
}

export type Control =
  | (ControlBase<"date_range", DateRange | { last: string }> & {
      min?: string | null;
      /** The last day that may be chosen, inclusive. */
      max?: string | null;
    })
  | (ControlBase<"int", number> & { min?: number | null; max?: number | null })
  | (ControlBase<"choice", string> & { choices: { key: string; label: string }[] })
  | (ControlBase<"string", string | string[]> & {
      many?: boolean;
      maxItems?: number | null;
      options?: { query: string; value: string; label?: string };
    });

interface TileBase {
  query: string;
  title: string;
  describe?: string;
  /** Columns of twelve. */
  span?: number;
}

export type Tile =
  | (TileBase & { kind: "value"; field: string; format?: string })
  | (TileBase & { kind: "chart"; spec: Record<string, unknown> })
  | (TileBase & { kind: "table"; columns: string[]; page?: number; export?: string[] });

export interface Page {
  id: string;
  title: string;
  controls: string[];
  rows: Tile[][];
}

export interface Workbook {
  id: string;
  title: string;
  pages: Page[];
  controls: Record<string, Control>;
  queries: Record<string, Query>;
  connection: string;
}

/** Server-sent change that concerns this session. */
export type Change =
  | { kind: "grant"; connection: string; state: "reconnect" | "connected" | "revoked" }
  | { kind: "session"; state: "ended" };

/** Names of problems the pages act on. */
export const problems = {
  unauthenticated: "urn:postern:unauthenticated",
  reconnectRequired: "urn:postern:reconnect-required",
  rateLimited: "urn:postern:rate-limited",
  /** Made in the browser: nothing was answered. */
  unreachable: "urn:postern:browser:unreachable",
  /** Made in the browser: the answer ended before its end. */
  cutOff: "urn:postern:browser:cut-off",
  /** Made in the browser: the answer is not what the contract says. */
  unreadable: "urn:postern:browser:unreadable",
} as const;
