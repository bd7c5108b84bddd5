// Selected place in a stream, and navigation.
import type { At } from "./times";
import type { Clip } from "./types";

/** Passed to every part of the stream page. */
export interface Position {
  clip: Clip | null;
  frame: number | null; // null: the frame with the most kept patches
  isFollowing: boolean;
  mayFollow: boolean; // whether a newer clip exists
  at: At; // formats the stream's times
  select: (clipIndex: number, frame?: number | null) => void;
  follow: () => void;
}
