// Where the user is in a stream, and how he goes elsewhere.
import type { At } from "./times";
import type { Clip } from "./types";

/** What every part of the stream page is given. */
export interface Position {
  clip: Clip | null;
  frame: number | null; // null for the one of which most was kept
  isFollowing: boolean;
  mayFollow: boolean; // there is something newer to go to
  at: At; // how the stream's times are written
  select: (clipIndex: number, frame?: number | null) => void;
  follow: () => void;
}
