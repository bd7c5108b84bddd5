import { useEffect, useReducer, useRef, useState } from "preact/hooks";

/** Re-render on every change notification. */
export function useChanges(subscribe: (listener: () => void) => () => void, of: unknown): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => subscribe(() => again(null as never)), [of]);
}

/** Result of a promise; null while pending, on failure, and after a change of keys. */
export function useLoaded<T>(load: () => Promise<T>, keys: unknown[]): T | null {
  const [loaded, setLoaded] = useState<{ value: T; key: string } | null>(null);
  const key = keys.join(" ");
  useEffect(() => {
    let wanted = true;
    load().then(
      (value) => wanted && setLoaded({ value, key }),
      () => wanted && setLoaded(null),
    );
    return () => {
      wanted = false;
    };
  }, [key]);
  return loaded && loaded.key === key ? loaded.value : null;
}

/** Like useLoaded, but keep the last result until the next one arrives, so images do not flicker. */
export function useLastLoaded<T>(load: () => Promise<T>, keys: unknown[]): T | null {
  const [loaded, setLoaded] = useState<T | null>(null);
  useEffect(() => {
    let wanted = true;
    load().then(
      (value) => wanted && setLoaded(value),
      () => wanted && setLoaded(null),
    );
    return () => {
      wanted = false;
    };
  }, keys);
  return loaded;
}

/** Current width and height of an element in CSS pixels. */
export function useSize<E extends Element>(): [{ current: E | null }, { width: number; height: number }] {
  const ref = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!ref.current) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      setSize({ width, height });
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

/** Call back at once, then at every interval while the page is visible. */
export function useEvery(milliseconds: number, work: () => Promise<void>, key: unknown): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let wanted = true;
    const turn = async () => {
      if (!document.hidden) await work().catch(() => undefined);
      if (wanted) timer = setTimeout(turn, milliseconds);
    };
    void turn();
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [key]);
}

/** Whether the user prefers a dark scheme; canvases redraw when it changes. */
export function useDark(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = () => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  return dark;
}
