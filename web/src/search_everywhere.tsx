// Searches the captions of all streams by words, then by meaning if no caption has the words.
import { useEffect, useState } from "preact/hooks";
import { getJson } from "./api";
import { SearchInput } from "./search_input";
import { timesOf } from "./times";
import type { Clip, Stream } from "./types";
import { nameOf } from "./words";

const SEARCH_MILLISECONDS = 250;
const MOST_FOUND = 12;

interface Found {
  clips: Clip[];
  byMeaning: boolean;
}

export function SearchEverywhere({ streams }: { streams: Stream[] }) {
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  useEffect(() => {
    const words = query.trim();
    if (!words) {
      setFound(null);
      return undefined;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => search(words, abort.signal).then(setFound, () => undefined), SEARCH_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [query]);
  const byId = new Map(streams.map((stream) => [stream.id, stream]));
  return (
    <section class="everywhere" aria-label="Search all streams">
      <SearchInput label="Search the captions of all streams" query={query} onQuery={setQuery} />
      <p class="soft small" role="status">
        {found && saysOf(found)}
      </p>
      {found && found.clips.length > 0 && (
        <ul class="card found">
          {found.clips.map((clip) => {
            const stream = byId.get(clip.stream_id);
            return (
              <li key={`${clip.stream_id} ${clip.clip_index}`}>
                <a href={`#/streams/${clip.stream_id}/clips/${clip.clip_index}`}>
                  <span class="time">{timesOf(stream)(clip.start_seconds)}</span>
                  <span class="said">{clip.caption}</span>
                  <span class="soft small">{stream && nameOf(stream)}</span>
                </a>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}

async function search(words: string, signal: AbortSignal): Promise<Found> {
  const path = `/v1/moments?limit=${MOST_FOUND}&query=${encodeURIComponent(words)}`;
  const clips = await getJson<Clip[]>(path, signal);
  if (clips.length) return { clips, byMeaning: false };
  return { clips: await getJson<Clip[]>(`${path}&method=meaning`, signal), byMeaning: true };
}

function saysOf({ clips, byMeaning }: Found): string {
  if (!clips.length) return "No matching captions.";
  if (byMeaning) return "No caption has all these words. Closest in meaning:";
  return clips.length < MOST_FOUND ? "" : `The best ${MOST_FOUND}:`;
}
