def shown(cents: int) -> str:
    return f"{cents // 100} coins"
