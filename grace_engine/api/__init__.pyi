"""The names of the verbs, for type checkers and for lazy imports."""

from .annotating import (
    VERDICTS as VERDICTS,
    Annotations as Annotations,
    annotation_log as annotation_log,
    annotations as annotations,
    author_or_user as author_or_user,
    look as look,
    mark as mark,
    override as override,
    redo as redo,
    undo as undo,
)
from .answering import (
    ProblemRollouts as ProblemRollouts,
    problem_rollouts as problem_rollouts,
)
from .checking import (
    CheckReport as CheckReport,
    check_answers as check_answers,
)
from .choosing import (
    chooses_problems as chooses_problems,
    config_of as config_of,
    curate as curate,
    live_choice as live_choice,
    rename_selection as rename_selection,
    said_of_name as said_of_name,
    said_of_strata as said_of_strata,
    save_choice as save_choice,
    summary as summary,
    weights_of as weights_of,
)
from .clusters import (
    parse_options as parse_options,
    require_submitit as require_submitit,
    train_on_cluster as train_on_cluster,
)
from .comparing import (
    SHARES as SHARES,
    bias as bias,
    bias_of_selection as bias_of_selection,
    budget_curve as budget_curve,
    chosen_of as chosen_of,
    compare as compare,
    ranking_frame as ranking_frame,
)
from .correlating import (
    EvidenceReport as EvidenceReport,
    correlate_file as correlate_file,
    correlate_published as correlate_published,
)
from .duplicating import (
    duplicate_finding as duplicate_finding,
    duplicate_groups as duplicate_groups,
    duplicates_in as duplicates_in,
    duplicates_of as duplicates_of,
    find_duplicates as find_duplicates,
    finding_for as finding_for,
)
from .evaluating import (
    Evaluation as Evaluation,
    evaluate as evaluate,
    one_a_model as one_a_model,
    scorer_names as scorer_names,
    step_kinds as step_kinds,
)
from .expecting import (
    ExpectedTime as ExpectedTime,
    expected_time as expected_time,
)
from .explaining import (
    Why as Why,
    frame_records as frame_records,
    why as why,
)
from .exporting import (
    ExportReport as ExportReport,
    export as export,
    riding as riding,
)
from .figures import (
    write_figures as write_figures,
)
from .forecasting import (
    Forecast as Forecast,
    expected_scoring as expected_scoring,
    forecast as forecast,
)
from .handing_over import (
    HandedOver as HandedOver,
    hand_over as hand_over,
)
from .judged_steps import (
    ADJECTIVES as ADJECTIVES,
    JUDGE as JUDGE,
    StepJudge as StepJudge,
    judge_text as judge_text,
    step_judge as step_judge,
)
from .judging import (
    JudgedDataset as JudgedDataset,
    JudgePlan as JudgePlan,
    JudgeReport as JudgeReport,
    JudgeSettings as JudgeSettings,
    judge as judge,
    judge_averages as judge_averages,
    judged_datasets as judged_datasets,
    judged_on as judged_on,
    judging_json as judging_json,
    plan_judging as plan_judging,
    worst_steps as worst_steps,
)
from .overlapping import (
    NearDuplicates as NearDuplicates,
    near_duplicates as near_duplicates,
)
from .previewing import (
    Preview as Preview,
    RejectGroup as RejectGroup,
    cut_beside as cut_beside,
    preview as preview,
    trace_json as trace_json,
)
from .problem_choices import (
    Certainty as Certainty,
    Methods as Methods,
    WhyProblem as WhyProblem,
    certainty as certainty,
    methods as methods,
    problem_curve as problem_curve,
    problem_rows as problem_rows,
    why_problem as why_problem,
)
from .problems import (
    ProblemView as ProblemView,
    curate_problems as curate_problems,
    live_problem_choice as live_problem_choice,
    problem_view as problem_view,
)
from .reading import (
    FileIngest as FileIngest,
    ingest as ingest,
    require_files as require_files,
)
from .rebuilding import (
    Health as Health,
    Rebuilt as Rebuilt,
    check_workspace as check_workspace,
    rebuild as rebuild,
)
from .replaying import (
    replay as replay,
)
from .report_run import (
    Subjects as Subjects,
    report_subjects as report_subjects,
    start_report as start_report,
)
from .reporting import (
    DatasetReport as DatasetReport,
    dataset_report as dataset_report,
    report_bytes as report_bytes,
    write_report as write_report,
)
from .resegmenting import (
    Resegmented as Resegmented,
    resegment as resegment,
)
from .rollouts import (
    GradientReport as GradientReport,
    GradientSettings as GradientSettings,
    IngestedRollouts as IngestedRollouts,
    RolloutSettings as RolloutSettings,
    gradients as gradients,
    ingest_rollouts as ingest_rollouts,
    plan_gradient as plan_gradient,
    plan_rollout as plan_rollout,
    rollout as rollout,
    said_of_model as said_of_model,
)
from .running import (
    cancel_job as cancel_job,
    forget_job as forget_job,
    get_job as get_job,
    last_training as last_training,
    list_jobs as list_jobs,
    may_score as may_score,
    resume_job as resume_job,
    start_checking as start_checking,
    start_duplicates as start_duplicates,
    start_gradients as start_gradients,
    start_ingest as start_ingest,
    start_judging as start_judging,
    start_problem_sample as start_problem_sample,
    start_retry as start_retry,
    start_rollouts as start_rollouts,
    start_sample as start_sample,
    start_scoring as start_scoring,
    start_training as start_training,
)
from .sample import (
    SampleReport as SampleReport,
    app_script as app_script,
    prepare_problem_sample as prepare_problem_sample,
    prepare_sample as prepare_sample,
    sample_folder as sample_folder,
    score_sample as score_sample,
)
from .scoring import (
    Estimate as Estimate,
    ScoreReport as ScoreReport,
    ScoringPlan as ScoringPlan,
    estimate as estimate,
    failed as failed,
    plan as plan,
    score as score,
)
from .selected import (
    ComparisonView as ComparisonView,
    SelectionView as SelectionView,
    selection_view as selection_view,
)
from .steps import (
    export_steps as export_steps,
)
from .stored import (
    Workspace as Workspace,
    annotation_version as annotation_version,
    back_up as back_up,
    check_counts as check_counts,
    checks_version as checks_version,
    compact as compact,
    datasets as datasets,
    delete_dataset as delete_dataset,
    delete_judge as delete_judge,
    delete_policy_run as delete_policy_run,
    delete_rollout_set as delete_rollout_set,
    delete_run as delete_run,
    delete_selection as delete_selection,
    get_judge as get_judge,
    get_policy_run as get_policy_run,
    get_rollout_set as get_rollout_set,
    get_run as get_run,
    get_selection as get_selection,
    iter_groups as iter_groups,
    judge_reads as judge_reads,
    list_checks as list_checks,
    list_judges as list_judges,
    list_policy_runs as list_policy_runs,
    list_problems as list_problems,
    list_rollout_sets as list_rollout_sets,
    list_runs as list_runs,
    list_selections as list_selections,
    open_workspace as open_workspace,
    rejects as rejects,
    restore as restore,
    runs_with as runs_with,
    same_prompt as same_prompt,
    search_traces as search_traces,
    selection_counts as selection_counts,
    usage as usage,
)
from .trained import (
    Planned as Planned,
    TrainReport as TrainReport,
    finished_cells as finished_cells,
    training_answers as training_answers,
    training_cells as training_cells,
    training_metrics as training_metrics,
    training_plan_of as training_plan_of,
    training_problems as training_problems,
    training_report as training_report,
    training_time_left as training_time_left,
)
from .trained_evidence import (
    TrainedOn as TrainedOn,
    trained_on as trained_on,
    training_evidence as training_evidence,
)
from .training import (
    TrainPlan as TrainPlan,
    TrainRequest as TrainRequest,
    n_steps_of as n_steps_of,
    plan_training as plan_training,
    request_of as request_of,
    train as train,
)
from .training_history import (
    NOT_TRAINED as NOT_TRAINED,
    HowTrained as HowTrained,
    how_trained as how_trained,
)
from .training_sizes import (
    ArmSize as ArmSize,
    arm_sizes as arm_sizes,
    counted_otherwise as counted_otherwise,
)
from .views import (
    STEP_SIGNALS as STEP_SIGNALS,
    RunView as RunView,
    TraceView as TraceView,
    UnscoredTrace as UnscoredTrace,
    ingested_trace as ingested_trace,
    listing as listing,
    reweighted as reweighted,
    run_view as run_view,
    trace_view as trace_view,
    unscored as unscored,
    view_of as view_of,
    weights_json as weights_json,
)
