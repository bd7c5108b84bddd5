// Resumable upload in parts; a lost connection costs at most one part.
import { ApiError, getJson, postJson, request } from "./api";
import type { Stream } from "./types";

const PART_BYTES = 1 << 20;
const MOST_FAILURES = 6;

interface Upload {
  id: string;
  offset: number;
}

/** Key under which the same file resumes its upload. */
const keyOf = (file: File) => `keepsight-upload:${file.name}:${file.size}:${file.lastModified}`;

/**
 * Upload a file and start watching it.
 *
 * @param progress called with the uploaded fraction, 0 to 1.
 */
export async function uploadAndWatch(
  file: File,
  progress: (share: number) => void,
  signal: AbortSignal,
): Promise<Stream> {
  const upload = await startOrResume(file);
  let failures = 0;
  while (upload.offset < file.size) {
    progress(upload.offset / file.size);
    try {
      upload.offset = await sendPart(upload, file, signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !mayHelp(error) || failures > MOST_FAILURES) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** failures));
      upload.offset = await offsetOf(upload.id).catch(() => upload.offset);
    }
  }
  progress(1);
  localStorage.removeItem(keyOf(file));
  return postJson<Stream>("/v1/streams", { upload_id: upload.id });
}

async function startOrResume(file: File): Promise<Upload> {
  const known = localStorage.getItem(keyOf(file));
  if (known) {
    try {
      return { id: known, offset: await offsetOf(known) };
    } catch {
      localStorage.removeItem(keyOf(file));
    }
  }
  if (!file.size) throw new Error("The file is empty.");
  const upload = await postJson<Upload>("/v1/uploads", { filename: file.name, num_bytes: file.size });
  localStorage.setItem(keyOf(file), upload.id);
  return { id: upload.id, offset: upload.offset };
}

const offsetOf = async (id: string) => (await getJson<Upload>(`/v1/uploads/${id}`)).offset;

async function sendPart(upload: Upload, file: File, signal: AbortSignal): Promise<number> {
  const part = file.slice(upload.offset, upload.offset + PART_BYTES);
  await request(`/v1/uploads/${upload.id}`, {
    method: "PATCH",
    headers: { "Content-Type": "application/octet-stream", "Upload-Offset": String(upload.offset) },
    body: part,
    signal,
  });
  return upload.offset + part.size;
}

function mayHelp(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 409 || error.status >= 429);
}
