// Clip images: fetched once, drawn on canvases with their kept patches.
import { get, getJson } from "./api";
import type { Kept, KeptFrame } from "./types";

const FRAME_PIXELS = 128; // width of a frame in a sheet: journal/thumbnails.py
const MOST_SHEETS = 96;
const MOST_MASKS = 256;

/** Caches the last results of an async function; failures are not cached. */
class Recent<T> {
  private readonly entries = new Map<string, Promise<T>>();

  constructor(
    private readonly most: number,
    private readonly make: (key: string) => Promise<T>,
  ) {}

  get(key: string): Promise<T> {
    const known = this.entries.get(key);
    const entry = known ?? this.make(key);
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (!known) {
      entry.catch(() => this.entries.delete(key));
      const oldest = this.entries.size > this.most ? this.entries.keys().next().value : undefined;
      if (oldest !== undefined) this.entries.delete(oldest);
    }
    return entry;
  }
}

const sheets = new Recent<ImageBitmap>(MOST_SHEETS, async (path) =>
  createImageBitmap(await (await get(`${path}/thumbnail`)).blob()),
);
const masks = new Recent<Kept>(MOST_MASKS, (path) => getJson<Kept>(`${path}/kept`));

/** Contact sheet of a clip's frames; rejects if a quota removed the image. */
export const sheetOf = (streamId: string, clipIndex: number) => sheets.get(`/v1/streams/${streamId}/clips/${clipIndex}`);

/** Kept tokens of a clip. */
export const keptOf = (streamId: string, clipIndex: number) => masks.get(`/v1/streams/${streamId}/clips/${clipIndex}`);

export function framesIn(sheet: ImageBitmap): number {
  return sheet.width % FRAME_PIXELS ? 1 : sheet.width / FRAME_PIXELS;
}

/** Draw one frame of a sheet, resizing the canvas to it. */
export function drawFrame(canvas: HTMLCanvasElement, sheet: ImageBitmap, frame: number, numFrames: number): void {
  const width = sheet.width / numFrames;
  canvas.width = width;
  canvas.height = sheet.height;
  canvas.getContext("2d")!.drawImage(sheet, frame * width, 0, width, sheet.height, 0, 0, width, sheet.height);
}

/** Darken patches that were not kept, and outline kept ones. */
export function drawMask(canvas: HTMLCanvasElement, frame: KeptFrame, grid: [number, number], aspect: number): void {
  const width = 896;
  const height = Math.round(width / aspect);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  context.fillStyle = "rgb(12 11 10 / 60%)";
  context.fillRect(0, 0, width, height);
  const [rows, columns] = grid;
  const x = (column: number) => Math.round((column * width) / columns);
  const y = (row: number) => Math.round((row * height) / rows);
  for (const [row, column] of frame.cells) {
    context.clearRect(x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row));
  }
  const kept = new Set(frame.cells.map(([row, column]) => row * columns + column));
  const has = (row: number, column: number) =>
    row >= 0 && row < rows && column >= 0 && column < columns && kept.has(row * columns + column);
  context.strokeStyle = "#ffcf7d";
  context.lineWidth = 2.5;
  context.lineCap = "round";
  context.beginPath();
  for (const [row, column] of frame.cells) {
    const [left, right, top, bottom] = [x(column), x(column + 1), y(row), y(row + 1)];
    const edge = (fromX: number, fromY: number, toX: number, toY: number) => {
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
    };
    if (!has(row - 1, column)) edge(left, top, right, top);
    if (!has(row + 1, column)) edge(left, bottom, right, bottom);
    if (!has(row, column - 1)) edge(left, top, left, bottom);
    if (!has(row, column + 1)) edge(right, top, right, bottom);
  }
  context.stroke();
}

/** Kept patches of a clip, cropped and packed in memory order. */
export function drawMosaic(canvas: HTMLCanvasElement, sheet: ImageBitmap, kept: Kept): void {
  const size = 168;
  const patches = kept.frames.flatMap((frame) => frame.cells.map((cell) => [frame.frame_index, ...cell] as const));
  const side = Math.max(1, Math.ceil(Math.sqrt(patches.length)));
  const pitch = size / side;
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext("2d")!;
  const [rows, columns] = kept.token_grid;
  const frameWidth = sheet.width / Math.max(1, kept.frames.length);
  const [width, height] = [frameWidth / columns, sheet.height / rows];
  patches.forEach(([frame, row, column], place) => {
    const [left, top] = [(place % side) * pitch, Math.floor(place / side) * pitch];
    context.drawImage(sheet, frame * frameWidth + column * width, row * height, width, height, left, top, pitch - 1, pitch - 1);
  });
}
