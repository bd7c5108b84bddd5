// Drawn for this page, 20 by 20.
const PATHS: Record<string, string> = {
  plus: "M10 4v12M4 10h12",
  play: "M6.5 4.5v11l9-5.5z",
  pause: "M7 4.5v11M13 4.5v11",
  left: "M12.5 4.5 7 10l5.5 5.5",
  right: "M7.5 4.5 13 10l-5.5 5.5",
  up: "M10 16V4.5M5 9.5l5-5 5 5",
  upload: "M10 12.5V3.5M6 7.5l4-4 4 4M3.5 13v2a1.5 1.5 0 0 0 1.5 1.5h10a1.5 1.5 0 0 0 1.5-1.5v-2",
  camera: "M3.5 6h8.5a1.5 1.5 0 0 1 1.5 1.5v5A1.5 1.5 0 0 1 12 14H3.5A1.5 1.5 0 0 1 2 12.5v-5A1.5 1.5 0 0 1 3.5 6zM13.5 9l4.5-2.5v7L13.5 11",
  spark: "M10 3l1.6 4.6L16 9.2l-4.4 1.7L10 15.5l-1.6-4.6L4 9.2l4.4-1.6zM15.5 13.5v4M13.5 15.5h4",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13.2 13.2l3.8 3.8",
  bin: "M4 6h12M8 6V4h4v2M5.5 6l.7 9.6a1 1 0 0 0 1 .9h5.6a1 1 0 0 0 1-.9L14.5 6",
  pin: "M7 3.5h6M8 3.5v4.2L5.5 11h9L12 7.7V3.5M10 11v5.5",
  close: "M5 5l10 10M15 5 5 15",
  bell: "M5 14h10l-1.2-2V9a3.8 3.8 0 0 0-7.6 0v3zM8.5 16.5h3",
  sound: "M3.5 8v4h2.8L10 15V5L6.3 8zM13 7.2a4 4 0 0 1 0 5.6M15.2 5a7 7 0 0 1 0 10",
  muted: "M3.5 8v4h2.8L10 15V5L6.3 8zM13 8l4 4M17 8l-4 4",
  fill: "M4 7.5V4h3.5M12.5 4H16v3.5M16 12.5V16h-3.5M7.5 16H4v-3.5",
  minus: "M4 10h12",
  save: "M10 3.5v9M6 8.5l4 4 4-4M3.5 16.5h13",
};

export function Icon({ name }: { name: string }) {
  if (name === "mark") return <Mark />;
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

function Mark() {
  const kept = new Set(["1,1", "2,1"]);
  const cells = [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => [column, row] as const));
  return (
    <svg class="mark" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {cells.map(([column, row]) => (
        <rect
          key={`${column},${row}`}
          class={kept.has(`${column},${row}`) ? "kept" : ""}
          x={1 + column * 6.2}
          y={1 + row * 6.2}
          width="5.4"
          height="5.4"
          rx="1.4"
        />
      ))}
    </svg>
  );
}
