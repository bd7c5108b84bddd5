// Routes to the token form, all streams, or one stream.
import { useEffect, useState } from "preact/hooks";
import { Alerts } from "./alerts";
import { getJson, onTokenNeeded, remove } from "./api";
import { Home } from "./home";
import { Icon } from "./icons";
import { Rights } from "./rights";
import type { Session } from "./rights";
import { StreamPage } from "./stream_page";
import { TokenForm } from "./token_form";
import type { About } from "./types";

interface Place {
  streamId: string | null;
  clipIndex: number | null;
}

function placeFrom(hash: string): Place {
  const match = /^#\/streams\/([0-9a-f]{16})(?:\/clips\/(\d+))?$/.exec(hash);
  return { streamId: match?.[1] ?? null, clipIndex: match?.[2] ? Number(match[2]) : null };
}

export function App() {
  const [place, setPlace] = useState(() => placeFrom(location.hash));
  const [about, setAbout] = useState<About | null>(null);
  const [session, setSession] = useState<Session>({ needs_token: false, scope: "manage" });
  const [needsToken, setNeedsToken] = useState(false);

  useEffect(() => {
    const change = () => setPlace(placeFrom(location.hash));
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  useEffect(() => onTokenNeeded(() => setNeedsToken(true)), []);
  useEffect(() => {
    if (needsToken) return;
    getJson<About>("/v1/about").then(setAbout, () => undefined);
    getJson<Session>("/v1/session").then((found) => found.scope && setSession(found), () => undefined);
  }, [needsToken]);
  useEffect(() => {
    if (!place.streamId) document.title = "Keepsight";
  }, [place.streamId]);

  const forget = async () => {
    await remove("/v1/session").catch(() => undefined);
    setNeedsToken(true);
  };
  return (
    <Rights.Provider value={session}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href="#/" aria-label="Keepsight, all streams">
          <Icon name="mark" />
          <span>Keepsight</span>
        </a>
        {session.needs_token && !needsToken && (
          <button type="button" class="quiet forget" onClick={forget}>
            Sign out
          </button>
        )}
        {about && (
          <span class="model" title={`${about.model.architecture} on ${about.model.device}`}>
            <span class="model-word">model</span> {shortName(about.model.name)}
          </span>
        )}
      </header>
      {about && !needsToken && <Alerts shownStreamId={place.streamId} />}
      <main id="main" tabIndex={-1}>
        {needsToken ? (
          <TokenForm onDone={() => setNeedsToken(false)} />
        ) : place.streamId ? (
          <StreamPage key={place.streamId} id={place.streamId} clipIndex={place.clipIndex} about={about} />
        ) : (
          <Home about={about} />
        )}
      </main>
    </Rights.Provider>
  );
}

/** Last part of a model's path or hub id. */
function shortName(model: string): string {
  return model.split("/").filter(Boolean).at(-1) ?? model;
}

/** Focus the content without changing the URL fragment, which names the stream. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
