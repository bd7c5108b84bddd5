// Frames of a clip side by side, with patches that were not kept darkened.
import { useEffect, useRef } from "preact/hooks";
import { drawFrame } from "./pictures";
import type { At } from "./times";
import type { Kept } from "./types";

interface StripProps {
  at: At;
  sheet: ImageBitmap;
  kept: Kept;
  frame: number;
  onChoose: (frame: number) => void;
  showsKept: boolean;
}

export function Filmstrip({ at, sheet, kept, frame: chosen, onChoose, showsKept }: StripProps) {
  const strip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const canvases = strip.current!.querySelectorAll("canvas");
    kept.frames.forEach((frame, place) => {
      const canvas = canvases[place];
      if (!canvas || (place + 1) * (sheet.width / kept.frames.length) > sheet.width + 1) return;
      drawFrame(canvas, sheet, place, kept.frames.length);
      if (showsKept) veil(canvas, frame.cells, kept.token_grid);
    });
  }, [sheet, kept, showsKept]);
  return (
    <div class="filmstrip" ref={strip} role="group" aria-label="Frames of this clip">
      {kept.frames.map((frame, place) => (
        <button
          key={place}
          type="button"
          aria-label={`Frame at ${at(frame.seconds)}`}
          aria-pressed={place === chosen}
          onClick={() => onChoose(place)}
        >
          <canvas aria-hidden="true" />
        </button>
      ))}
    </div>
  );
}

/** Darken the cells that were not kept. */
function veil(canvas: HTMLCanvasElement, cells: [number, number][], [rows, columns]: [number, number]): void {
  const context = canvas.getContext("2d")!;
  const shade = new Path2D();
  shade.rect(0, 0, canvas.width, canvas.height);
  for (const [row, column] of cells) {
    const [width, height] = [canvas.width / columns, canvas.height / rows];
    shade.rect(column * width, row * height, width, height);
  }
  context.fillStyle = "rgb(12 11 10 / 62%)";
  context.fill(shade, "evenodd");
}
