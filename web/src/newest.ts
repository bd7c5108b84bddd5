// Newest camera frame, before it has a caption.
import { useState } from "preact/hooks";
import { get } from "./api";
import { useEvery } from "./hooks";

/** Newest frame of a stream, polled while wanted; keeps the last one. */
export function useNewest(streamId: string, isWanted: boolean, milliseconds: number): ImageBitmap | null {
  const [picture, setPicture] = useState<ImageBitmap | null>(null);
  useEvery(
    milliseconds,
    async () => {
      if (!isWanted) return setPicture(null);
      const response = await get(`/v1/streams/${streamId}/frames/newest`);
      setPicture(await createImageBitmap(await response.blob()));
    },
    `${streamId} ${isWanted}`,
  );
  return isWanted ? picture : null;
}
