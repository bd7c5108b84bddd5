// Scope of the viewer's token. The server enforces it; the page hides what would be refused.
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export interface Session {
  needs_token: boolean;
  scope: "read" | "ask" | "manage" | null;
}

export const Rights = createContext<Session>({ needs_token: false, scope: "manage" });

export function useRights(): { mayAsk: boolean; mayManage: boolean } {
  const { scope } = useContext(Rights);
  return { mayAsk: scope === "ask" || scope === "manage", mayManage: scope === "manage" };
}
