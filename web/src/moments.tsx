// All captions and gaps in time order, as a virtual list: only visible rows are in the document.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getJson } from "./api";
import { useSize } from "./hooks";
import { SearchInput } from "./search_input";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { Clip, Gap } from "./types";
import { count } from "./words";

const ROW_PIXELS = 68;
const ROWS_AROUND = 6;
const SEARCH_MILLISECONDS = 180;

type Row = { clip: Clip; gap?: undefined } | { gap: Gap; clip?: undefined };
type Filter = "all" | "held" | "cited" | "pinned" | "missed";

interface Props {
  store: StreamStore;
  position: Position;
  cited: Set<number>;
  found: Set<number> | null;
  onFound: (found: Set<number> | null) => void;
  isShown: boolean;
}

export function Moments({ store, position, cited, found, onFound, isShown }: Props) {
  const [query, setQuery] = useState("");
  const [filter, setFilter] = useState<Filter>("all");
  useSearch(store, query, onFound);
  const rows = useMemo(
    () => rowsOf(store, { filter, cited, found }),
    [store, store.clips, store.clips.length, store.gaps, store.memory, filter, cited, found],
  );
  const filters: [Filter, string, boolean][] = [
    ["all", "All", true],
    ["held", "In memory", !!store.memory?.clips.length],
    ["cited", "Cited", cited.size > 0],
    ["pinned", "Pinned", store.clips.some((clip) => clip.is_pinned)],
    ["missed", "Incomplete", store.gaps.length > 0 || store.clips.some((clip) => clip.num_frames_dropped)],
  ];
  const numClips = rows.filter((row) => row.clip).length;
  return (
    <>
      <SearchInput id="search" label="Search the captions" query={query} onQuery={setQuery} />
      <div class="filters" role="group" aria-label="Filter clips">
        {filters.map(
          ([name, label, has]) =>
            (has || filter === name) && (
              <button key={name} type="button" aria-pressed={filter === name} onClick={() => setFilter(name)}>
                {label}
              </button>
            ),
        )}
        <span class="soft small" role="status">
          {found || filter !== "all" ? `${numClips.toLocaleString("en-GB")} of ${count(store.clips.length, "clip")}` : ""}
        </span>
      </div>
      {rows.length ? (
        <MomentList rows={rows} position={position} cited={cited} isShown={isShown} />
      ) : (
        <p class="empty">{found || filter !== "all" ? "No matching clips." : "Captions appear here as they are written."}</p>
      )}
    </>
  );
}

/** Match typed text locally at once; then add the server's matches in any inflection. */
function useSearch(store: StreamStore, query: string, onFound: (found: Set<number> | null) => void): void {
  useEffect(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) {
      onFound(null);
      return undefined;
    }
    const here = store.clips.filter((clip) => words.every((word) => clip.caption.toLowerCase().includes(word)));
    const found = new Set(here.map((clip) => clip.clip_index));
    onFound(found);
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const path = `/v1/streams/${store.id}/moments?limit=1000&query=${encodeURIComponent(query.trim())}`;
      getJson<Clip[]>(path, abort.signal).then(
        (there) => onFound(new Set([...found, ...there.map((clip) => clip.clip_index)])),
        () => undefined,
      );
    }, SEARCH_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [query, store, store.clips.length]);
}

function rowsOf(store: StreamStore, wanted: { filter: Filter; cited: Set<number>; found: Set<number> | null }): Row[] {
  const { filter, cited, found } = wanted;
  const held = new Set(store.memory?.clips.map((clip) => clip.clip_index));
  const belongs = (clip: Clip) =>
    (!found || found.has(clip.clip_index)) &&
    (filter === "all" ||
      (filter === "held" && held.has(clip.clip_index)) ||
      (filter === "cited" && cited.has(clip.clip_index)) ||
      (filter === "pinned" && clip.is_pinned) ||
      (filter === "missed" && clip.num_frames_dropped > 0));
  const gaps = found || !["all", "missed"].includes(filter) ? [] : store.gaps;
  const rows: Row[] = [];
  let next = 0;
  for (const clip of store.clips) {
    while (next < gaps.length && gaps[next].start_seconds < clip.end_seconds - 1e-6) rows.push({ gap: gaps[next++] });
    if (belongs(clip)) rows.push({ clip });
  }
  return rows.concat(gaps.slice(next).map((gap) => ({ gap })));
}

interface ListProps {
  rows: Row[];
  position: Position;
  cited: Set<number>;
  isShown: boolean;
}

function MomentList({ rows, position, cited, isShown }: ListProps) {
  const [ref, { height }] = useSize<HTMLDivElement>();
  const [top, setTop] = useState(0);
  const chosen = position.clip?.clip_index ?? -1;
  const chosenPlace = useMemo(() => rows.findIndex((row) => row.clip?.clip_index === chosen), [rows, chosen]);

  // Scroll to a clip selected elsewhere, and to new clips while following.
  const sought = useRef("");
  useEffect(() => {
    const list = ref.current;
    // Measure the list directly: the observed size arrives later, when the user may already have scrolled.
    const seen = list?.clientHeight ?? 0;
    if (!list || !seen || chosenPlace < 0 || !isShown) return;
    const wanted = position.isFollowing ? `${chosen} in ${height}` : `${chosen}`;
    if (sought.current === wanted) return;
    sought.current = wanted;
    const at = chosenPlace * ROW_PIXELS;
    if (at < list.scrollTop || at + ROW_PIXELS > list.scrollTop + seen) {
      const above = position.isFollowing ? seen - ROW_PIXELS : seen / 2 - ROW_PIXELS / 2;
      list.scrollTop = position.isFollowing ? at - above : Math.round((at - above) / ROW_PIXELS) * ROW_PIXELS; // whole rows
    }
  }, [chosen, chosenPlace, height, isShown]);

  const first = Math.max(0, Math.floor(top / ROW_PIXELS) - ROWS_AROUND);
  const end = Math.min(rows.length, Math.ceil((top + (height || 600)) / ROW_PIXELS) + ROWS_AROUND);
  const press = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(height / ROW_PIXELS) - 1);
    const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -rows.length, End: rows.length }[event.key];
    if (!by) return;
    event.preventDefault();
    const step = Math.sign(by);
    let place = Math.min(rows.length - 1, Math.max(0, Math.max(0, chosenPlace) + by));
    while (rows[place] && !rows[place].clip) place += step;
    const clip = rows[place]?.clip;
    if (clip) position.select(clip.clip_index);
  };
  const isChosenDrawn = chosenPlace >= first && chosenPlace < end;
  return (
    <div
      ref={ref}
      class="moments"
      role="listbox"
      aria-label="Clips"
      tabIndex={0}
      aria-activedescendant={isChosenDrawn ? `row-${chosen}` : undefined}
      onKeyDown={press}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <div class="all-rows" role="presentation" style={{ height: `${rows.length * ROW_PIXELS}px` }}>
        {rows.slice(first, end).map((row, place) => {
          const style = { transform: `translateY(${(first + place) * ROW_PIXELS}px)` };
          if (row.gap) {
            return (
              <div key={`gap-${row.gap.start_seconds}`} class="row gap" role="option" aria-disabled="true" style={style}>
                <span class="time">{position.at(row.gap.start_seconds)}</span>
                <span class="said">
                  Not watched until {position.at(row.gap.end_seconds)}: {row.gap.reason}
                </span>
              </div>
            );
          }
          const { clip } = row;
          return (
            <div
              key={clip.clip_index}
              id={`row-${clip.clip_index}`}
              class="row"
              role="option"
              aria-selected={clip.clip_index === chosen}
              aria-posinset={first + place + 1}
              aria-setsize={rows.length}
              style={style}
              onClick={() => position.select(clip.clip_index)}
            >
              <span class="time">{position.at(clip.start_seconds)}</span>
              <span class={clip.is_still ? "said soft" : "said"} title={clip.caption}>
                {clip.caption || "(no caption)"}
              </span>
              {clip.num_frames_dropped > 0 && (
                <span class="badge warn">{count(clip.num_frames_dropped, "frame")} dropped</span>
              )}
              {clip.is_pinned && <span class="badge">pinned</span>}
              {cited.has(clip.clip_index) && <span class="badge">cited</span>}
            </div>
          );
        })}
      </div>
    </div>
  );
}
