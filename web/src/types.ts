// Server responses: see src/keepsight/server/http/views/, hub/standing/alert_view.py and server/http/routes/about.py.
export interface Figures {
  seconds_per_clip: number | null;
  lag_seconds: number | null;
  num_frames_dropped: number;
  num_losses: number;
  num_frames_pending: number;
}

export interface WallClock {
  from_seconds: number;
  started_at: string;
}

export interface Stream {
  id: string;
  source: string;
  model: string;
  is_live: boolean;
  started_at: string;
  wall_clocks: WallClock[];
  state: string;
  reason: string;
  note: string;
  end_seconds: number | null;
  frames_per_clip: number;
  num_clips: number;
  num_still_clips: number;
  num_bytes: number;
  figures: Figures;
}

export interface Clip {
  stream_id: string;
  clip_index: number;
  start_seconds: number;
  end_seconds: number;
  caption: string;
  num_frames_expected: number;
  is_pinned: boolean;
  is_still: boolean;
  num_frames_dropped: number;
}

export interface Gap {
  start_seconds: number;
  end_seconds: number;
  reason: string;
}

export interface KeptFrame {
  frame_index: number;
  seconds: number;
  cells: [number, number][];
}

export interface Kept {
  clip_index: number;
  token_grid: [number, number];
  num_visual_tokens: number;
  kept_indices: number[];
  frames: KeptFrame[];
}

export interface HeldClip extends Kept {
  start_seconds: number;
  end_seconds: number;
  age_clips: number;
  has_thumbnail: boolean;
}

export interface Memory {
  policy: string;
  capacity_clips: number;
  num_tokens: number;
  clips: HeldClip[];
}

export interface Citation {
  clip_index: number;
  start_seconds: number;
  end_seconds: number;
  caption: string;
}

export interface Answer {
  question: string;
  answer: string;
  ask_seconds: number;
  num_captions_given: number;
  num_captions_left_out: number;
  answer_model: string;
  answer_url: string | null;
  citations: Citation[];
}

export interface PastAnswer {
  asked_at: string;
  ask_seconds: number;
  question: string;
  answer: string;
  cited_clips: number[];
  num_captions_given: number;
  num_captions_left_out: number;
  answer_model: string | null;
  answer_url: string | null;
}

export interface StandingQuestion {
  id: string;
  question: string;
  stream_id: string | null;
  method: string;
  num_checked: number;
  num_alerts: number;
}

export interface Alert {
  id: number;
  standing_question_id: string;
  question: string;
  stream_id: string;
  clip_index: number;
  start_seconds: number;
  caption: string;
}

export interface About {
  version: string;
  model: { name: string; architecture: string; num_parameters: number; device: string; knows_toy_world_only: boolean };
  answers: { model: string; url: string | null };
}
