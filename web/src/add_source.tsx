// Adds a stream: a file from this machine, an address or server path, or a toy video.
import { useRef, useState } from "preact/hooks";
import { messageFrom, postJson } from "./api";
import { Icon } from "./icons";
import type { Stream } from "./types";
import { uploadAndWatch } from "./upload";

type Work = { what: string; share: number | null } | null;

export function AddSource({ first }: { first: boolean }) {
  const [source, setSource] = useState("");
  const [work, setWork] = useState<Work>(null);
  const [problem, setProblem] = useState("");
  const [isOver, setIsOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const abort = useRef<AbortController | null>(null);

  const begin = async (what: string, task: () => Promise<Stream>) => {
    if (work) return;
    setProblem("");
    setWork({ what, share: null });
    try {
      const stream = await task();
      location.hash = `#/streams/${stream.id}`;
    } catch (error) {
      if ((error as Error).name !== "AbortError") setProblem(messageFrom(error));
    } finally {
      setWork(null);
    }
  };
  const send = (file: File | undefined) => {
    if (!file) return;
    abort.current = new AbortController();
    const { signal } = abort.current;
    const what = `Uploading ${file.name}`;
    void begin(what, () => uploadAndWatch(file, (share) => setWork({ what, share }), signal));
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (source.trim()) void begin("Opening the source", () => postJson<Stream>("/v1/streams", { source: source.trim() }));
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    send(event.dataTransfer?.files[0]);
  };

  return (
    <section
      class={`add ${first ? "first" : ""} ${isOver ? "over" : ""}`}
      aria-label="Add a video"
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node)) setIsOver(false);
      }}
      onDrop={drop}
    >
      <div class="ways">
        <button class="way drop" type="button" disabled={!!work} onClick={() => picker.current?.click()}>
          <Icon name="upload" />
          <b>Drop a video here</b>
          <span>or choose a file</span>
        </button>
        <form class="way" onSubmit={submit}>
          <Icon name="camera" />
          <b id="source-label">Camera or path</b>
          <div class="inline">
            <input
              aria-labelledby="source-label"
              placeholder="rtsp://… or a file path"
              value={source}
              autoComplete="off"
              spellcheck={false}
              onInput={(event) => {
                setSource(event.currentTarget.value);
                setProblem("");
              }}
            />
            <button class="primary" type="submit" disabled={!!work || !source.trim()}>
              Watch
            </button>
          </div>
        </form>
        <button
          class="way toy"
          type="button"
          disabled={!!work}
          onClick={() => void begin("Making a toy video", () => postJson<Stream>("/v1/toy"))}
        >
          <Icon name="spark" />
          <b>Try a toy video</b>
          <span>ten minutes, generated now</span>
        </button>
      </div>
      <input
        ref={picker}
        type="file"
        accept="video/*,.mkv,.avi,.ts,.mov,.gif"
        hidden
        aria-label="Video file"
        onChange={(event) => {
          send(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
      <div role="status">{work && <Progress {...work} onCancel={work.share === null ? null : () => abort.current?.abort()} />}</div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

function Progress({ what, share, onCancel }: { what: string; share: number | null; onCancel: (() => void) | null }) {
  return (
    <div class="progress">
      <span>
        {what}
        {share === null ? " …" : `, ${Math.floor(share * 100)} %`}
      </span>
      <progress aria-label={what} max={1} value={share ?? undefined} />
      {onCancel && (
        <button type="button" class="quiet" onClick={onCancel}>
          Cancel
        </button>
      )}
    </div>
  );
}
