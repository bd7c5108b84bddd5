import type { ComponentChildren } from "preact";
import type { About } from "./types";

/** What the bundled model cannot do, said where it matters. */
export function ToyNotice({ about, children }: { about: About | null; children?: ComponentChildren }) {
  if (!about?.model.knows_toy_world_only) return null;
  return (
    <p class="notice">
      {children ?? (
        <>
          <b>The bundled model knows the toy world only.</b> It describes any other video wrongly. For real video,
          start the server with <code>--model</code> and a larger model.
        </>
      )}
    </p>
  );
}
