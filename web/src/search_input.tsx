import { Icon } from "./icons";

interface Props {
  id?: string;
  label: string;
  query: string;
  onQuery: (query: string) => void;
}

/** Labelled search box. */
export function SearchInput({ id, label, query, onQuery }: Props) {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        id={id}
        type="search"
        aria-label={label}
        placeholder={label}
        autoComplete="off"
        maxLength={1000}
        value={query}
        onInput={(event) => onQuery(event.currentTarget.value)}
      />
    </div>
  );
}
