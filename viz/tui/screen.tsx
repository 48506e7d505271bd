import { Box, Text, useApp, useInput } from "ink";
import { memo, type ReactElement, useCallback, useEffect, useSyncExternalStore } from "react";
import { paint } from "./cells.js";
import { frame } from "./frame.js";
import { actionOf, type KeyPress, pressesOf } from "./keys.js";
import type { Player } from "./player.js";

/** The size of the screen in cells, asked for at every drawing. */
export type ScreenSize = () => { readonly columns: number; readonly rows: number };

export interface ScreenProps {
  readonly player: Player;
  readonly size: ScreenSize;
  readonly colour: boolean;
}

/** Draws a player: each line of the frame is one text, and only lines that changed are drawn again. */
export function Screen({ player, size, colour }: ScreenProps): ReactElement {
  const { exit } = useApp();
  useSyncExternalStore(player.subscribe, () => player.version);
  const onInput = useCallback(
    (input: string, key: KeyPress) => {
      for (const [one, modifiers] of pressesOf(input, key)) {
        const action = actionOf(one, modifiers, player.ui);
        if (action !== null) player.dispatch(action);
      }
    },
    [player],
  );
  useInput(onInput);
  const { done } = player.ui;
  useEffect(() => {
    if (done) exit();
  }, [done, exit]);
  const { columns, rows } = size();
  const lines = frame(player.timeline, player.ui, player.matches, columns, rows);
  return (
    <Box flexDirection="column">
      {lines.map((line, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row of the screen is its place
        <Row key={row} text={paint(line, colour)} />
      ))}
    </Box>
  );
}

const Row = memo(function Row({ text }: { readonly text: string }): ReactElement {
  return <Text wrap="truncate">{text}</Text>;
});
