// What a camera sees now, before there is a caption of it.
import { useState } from "preact/hooks";
import { request } from "./api";
import { useEvery } from "./hooks";

/** The newest frame of a stream, asked for every so often while it is wanted; the last one that there was stays. */
export function useNewest(streamId: string, isWanted: boolean, milliseconds: number): ImageBitmap | null {
  const [picture, setPicture] = useState<ImageBitmap | null>(null);
  useEvery(
    milliseconds,
    async () => {
      if (!isWanted) return setPicture(null);
      const response = await request(`/v1/streams/${streamId}/frames/newest`);
      setPicture(await createImageBitmap(await response.blob()));
    },
    `${streamId} ${isWanted}`,
  );
  return isWanted ? picture : null;
}
