export const neededNode: number;
export const isNodeNewEnough: boolean;
